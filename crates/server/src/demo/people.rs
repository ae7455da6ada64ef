//! Who works for the demo organisation. Names are invented; the list is the same for every seed.

use evenhand_domain::access::Role;
use evenhand_domain::money::{Currency, Money};

/// Where people can be written to; a name that is reserved for examples.
const MAIL_DOMAIN: &str = "kestrel-vale.example";

/// Administrator of the organisation.
pub(super) const ADMIN: &str = "Ines Falkenberg";
/// Checks the figures.
pub(super) const FINANCE: &str = "Tobias Renner";
/// Look after complaints.
pub(super) const SERVICE: [&str; 2] = ["Mirela Stanek", "Oskar Lindgaard"];

/// A region with its teams.
pub(super) struct Region {
    pub(super) name: &'static str,
    pub(super) manager: &'static str,
    pub(super) teams: [Team; 2],
}

/// A team with the people who sell.
pub(super) struct Team {
    pub(super) name: &'static str,
    pub(super) manager: &'static str,
    pub(super) reps: [&'static str; 5],
    /// Where its customers are.
    pub(super) cities: [&'static str; 5],
    /// Legal forms of companies there.
    pub(super) forms: &'static [&'static str],
    /// What it sells in.
    pub(super) currency: &'static str,
    /// Price level in percent of the list.
    pub(super) price_percent: i64,
}

/// The whole organisation.
pub(super) const REGIONS: [Region; 3] = [
    Region {
        name: "Region North",
        manager: "Henrike Solberg",
        teams: [
            Team {
                name: "Team Hamburg",
                manager: "Jonas Petersdorf",
                reps: [
                    "Lena Brandis",
                    "Arne Wittkamp",
                    "Sofia Marquardt",
                    "Deniz Aksoylu",
                    "Paul Hinrichsen",
                ],
                cities: ["Hamburg", "Bremen", "Kiel", "Lübeck", "Rostock"],
                forms: &["GmbH", "AG", "KG"],
                currency: "EUR",
                price_percent: 100,
            },
            Team {
                name: "Team Copenhagen",
                manager: "Freja Holmstrup",
                reps: ["Mads Ravnkilde", "Ida Thorsager", "Emil Krogsgaard", "Nadia Rahbek", "Signe Vestby"],
                cities: ["Copenhagen", "Aarhus", "Odense", "Malmö", "Aalborg"],
                forms: &["ApS", "A/S", "AB"],
                currency: "EUR",
                price_percent: 103,
            },
        ],
    },
    Region {
        name: "Region Central",
        manager: "Matthias Eigner",
        teams: [
            Team {
                name: "Team Vienna",
                manager: "Katarina Nowotny",
                reps: ["Lukas Steindl", "Marta Kovalik", "Felix Ortmayr", "Hana Dvorska", "Stefan Pichlmair"],
                cities: ["Vienna", "Graz", "Linz", "Brno", "Bratislava"],
                forms: &["GmbH", "OG", "s.r.o."],
                currency: "EUR",
                price_percent: 96,
            },
            Team {
                name: "Team Zürich",
                manager: "Reto Ammanegg",
                reps: [
                    "Selina Burgwies",
                    "Nico Tschudin",
                    "Aline Favrod",
                    "Yannick Oberlin",
                    "Priya Nair Keller",
                ],
                cities: ["Zürich", "Basel", "Bern", "St. Gallen", "Lausanne"],
                forms: &["AG", "GmbH", "SA"],
                currency: "CHF",
                price_percent: 112,
            },
        ],
    },
    Region {
        name: "Region South",
        manager: "Beatrice Morandell",
        teams: [
            Team {
                name: "Team Milan",
                manager: "Davide Castelnovo",
                reps: [
                    "Giulia Perrotta",
                    "Marco Zanardin",
                    "Elena Bressanelli",
                    "Luca Tomasini",
                    "Amina Diallo",
                ],
                cities: ["Milan", "Turin", "Bologna", "Verona", "Trento"],
                forms: &["S.r.l.", "S.p.A.", "S.n.c."],
                currency: "EUR",
                price_percent: 95,
            },
            Team {
                name: "Team Lyon",
                manager: "Camille Rostagnat",
                reps: [
                    "Hugo Delmarre",
                    "Chloé Vauquelin",
                    "Mehdi Bensalem",
                    "Inès Courtade",
                    "Théo Marchenoir",
                ],
                cities: ["Lyon", "Grenoble", "Geneva", "Marseille", "Dijon"],
                forms: &["SARL", "SAS", "SA"],
                currency: "EUR",
                price_percent: 98,
            },
        ],
    },
];

/// All teams below the regions, in order.
pub(super) fn teams() -> impl Iterator<Item = &'static Team> {
    REGIONS.iter().flat_map(|region| &region.teams)
}

/// One person to sign in as, for each role.
pub(super) fn accounts() -> [(Role, &'static str); 5] {
    let [region, ..] = &REGIONS;
    let [team, _] = &region.teams;
    [
        (Role::Admin, ADMIN),
        (Role::Manager, region.manager),
        (Role::Rep, team.reps[0]),
        (Role::Finance, FINANCE),
        (Role::ServiceAgent, SERVICE[0]),
    ]
}

/// The address of a person: their name in plain letters.
pub(super) fn email(name: &str) -> String {
    let plain = |c: char| match c {
        'é' | 'è' => 'e',
        'ü' => 'u',
        'ö' => 'o',
        ' ' => '.',
        other => other.to_ascii_lowercase(),
    };
    format!("{}@{MAIL_DOMAIN}", name.chars().map(plain).collect::<String>())
}

/// Something to sell.
pub(super) struct Good {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) series: &'static str,
    /// List price in euro cents.
    pub(super) list_price: i64,
    /// Most pieces in one deal.
    pub(super) pieces_max: u32,
    /// How often it is asked for.
    pub(super) weight: u32,
    /// Sold in the first months only.
    pub(super) retired: bool,
}

/// What the organisation sells: machines that print and read labels, and what goes with them.
pub(super) const GOODS: [Good; 11] = [
    good("HRN-100", "Heron 100", "Heron printers", 89_000, 8, 20),
    good("HRN-300", "Heron 300", "Heron printers", 249_000, 6, 18),
    good("HRN-700", "Heron 700", "Heron printers", 1_190_000, 3, 7),
    good("PLV-1", "Plover Scanner", "Plover scanners", 42_900, 20, 18),
    good("PLV-X", "Plover Tunnel", "Plover scanners", 2_380_000, 2, 3),
    good("TRN-S", "Tern Studio", "Tern software", 118_800, 5, 12),
    good("TRN-E", "Tern Enterprise", "Tern software", 960_000, 2, 4),
    good("CUR-L", "Curlew Line", "Curlew machines", 4_650_000, 1, 2),
    good("CAR-1", "Care Basic", "Care contracts", 59_000, 6, 9),
    good("CAR-3", "Care Complete", "Care contracts", 179_000, 4, 6),
    Good { retired: true, ..good("HRN-090", "Heron 90", "Heron printers", 74_900, 8, 10) },
];

const fn good(
    code: &'static str,
    name: &'static str,
    series: &'static str,
    list_price: i64,
    pieces_max: u32,
    weight: u32,
) -> Good {
    Good { code, name, series, list_price, pieces_max, weight, retired: false }
}

impl Good {
    /// What `pieces` cost after a discount in basis points, in whole units of the team's currency.
    pub(super) fn price(&self, team: &Team, pieces: u32, discount_bp: u32) -> Option<Money> {
        let full = self.list_price * i64::from(pieces) * team.price_percent / 100;
        let paid = full * (10_000 - i64::from(discount_bp)) / 10_000;
        let unit = 100;
        Some(Money::new(paid / unit * unit, Currency::parse(team.currency).ok()?))
    }
}
