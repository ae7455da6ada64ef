//! Words that the demo's customers and their stories are made of.

use super::story::Matter;

/// Line of business, as a company's name tells it, and its sector.
pub(super) const TRADES: &[(&str, &str)] = &[
    ("Logistics", "Logistics"),
    ("Freight", "Logistics"),
    ("Storage", "Logistics"),
    ("Parcel", "Logistics"),
    ("Foods", "Food"),
    ("Bakeries", "Food"),
    ("Dairy", "Food"),
    ("Beverages", "Food"),
    ("Spices", "Food"),
    ("Pharma", "Health"),
    ("Dental", "Health"),
    ("Clinics", "Health"),
    ("Optics", "Health"),
    ("Machinery", "Industry"),
    ("Castings", "Industry"),
    ("Plastics", "Industry"),
    ("Coatings", "Industry"),
    ("Tools", "Industry"),
    ("Electrics", "Industry"),
    ("Timber", "Construction"),
    ("Roofing", "Construction"),
    ("Interiors", "Construction"),
    ("Glass", "Construction"),
    ("Textiles", "Retail"),
    ("Outfitters", "Retail"),
    ("Garden Centres", "Retail"),
    ("Books", "Retail"),
    ("Bicycles", "Retail"),
    ("Chemicals", "Chemistry"),
    ("Cosmetics", "Chemistry"),
    ("Laboratories", "Chemistry"),
    ("Vineyards", "Agriculture"),
    ("Seeds", "Agriculture"),
    ("Farms", "Agriculture"),
    ("Print", "Media"),
    ("Packaging", "Media"),
];

/// First words of companies' names.
pub(super) const STEMS: &[&str] = &[
    "Alderbrook",
    "Altmark",
    "Amberfield",
    "Arvelin",
    "Aschberg",
    "Auerwald",
    "Balsano",
    "Bellaria",
    "Birkenau",
    "Blauhorn",
    "Bravanti",
    "Brunnstein",
    "Calderon",
    "Camparo",
    "Castelmar",
    "Cervino",
    "Clairvent",
    "Corvalle",
    "Dalmeer",
    "Delmonte",
    "Dornfeld",
    "Drachenfels",
    "Eberhof",
    "Elsterberg",
    "Erlenbach",
    "Fagerlund",
    "Falkenried",
    "Feldmark",
    "Fontanelle",
    "Fossheim",
    "Gallenti",
    "Granvik",
    "Grauwald",
    "Greifenau",
    "Haldgaard",
    "Hartwig",
    "Heidekrug",
    "Hellebek",
    "Hochrain",
    "Holmvang",
    "Isarblick",
    "Jadestein",
    "Jutlander",
    "Kaltbrunn",
    "Karlsminde",
    "Kirchbruck",
    "Kronberg",
    "Lagoverde",
    "Lerchenau",
    "Lindhoven",
    "Lorentz",
    "Luminar",
    "Marival",
    "Marschland",
    "Mirabeau",
    "Monteluna",
    "Morgenrot",
    "Nordhavn",
    "Norrland",
    "Oberlach",
    "Olivara",
    "Orlandis",
    "Ostersund",
    "Palmaria",
    "Pfauenhof",
    "Pinetta",
    "Quellbach",
    "Ravensund",
    "Reinholt",
    "Ribeaux",
    "Rosenhain",
    "Sandvig",
    "Santoro",
    "Schwarzach",
    "Seelund",
    "Silbersee",
    "Solvang",
    "Steinhauer",
    "Sundholm",
    "Talheim",
    "Terranova",
    "Torvegade",
    "Ulmenhof",
    "Valdora",
    "Valmont",
    "Vesterbro",
    "Vogelsang",
    "Waldhaus",
    "Weidenfeld",
    "Winterthal",
    "Ysenburg",
    "Zellerbach",
];

/// Given names of customers that are persons.
pub(super) const GIVEN_NAMES: &[&str] = &[
    "Adele", "Amir", "Annika", "Bastian", "Carla", "Cosima", "Dario", "Edda", "Elif", "Fabrice", "Gesa",
    "Greta", "Hakan", "Ilja", "Jarek", "Joëlle", "Karim", "Kirsten", "Leandro", "Liv", "Magnus", "Malin",
    "Nadine", "Noor", "Olga", "Pascal", "Quirin", "Ronja", "Samira", "Sander", "Tilda", "Umberto", "Vera",
    "Wanda", "Xaver", "Yara", "Zoran",
];

/// Family names of customers that are persons.
pub(super) const FAMILY_NAMES: &[&str] = &[
    "Abendroth",
    "Albisser",
    "Bergstad",
    "Bonvin",
    "Caviezel",
    "Dahlgren",
    "Dupraz",
    "Eichinger",
    "Ferrante",
    "Gundersen",
    "Hadzic",
    "Imhof",
    "Jaquet",
    "Kaltenegger",
    "Kirkeby",
    "Lombard",
    "Lundquist",
    "Maurizio",
    "Nyborg",
    "Obermoser",
    "Pellegrin",
    "Quadri",
    "Rasmus",
    "Rosental",
    "Sahin",
    "Schönauer",
    "Tanner",
    "Tscharner",
    "Ulrichsen",
    "Valtin",
    "Wendelin",
    "Zumthor",
];

/// Where leads come from, how often, and how many percent of them are usable.
pub(super) const SOURCES: &[((&str, u32), u32)] = &[
    (("cold list", 48), 34),
    (("website", 66), 22),
    (("trade fair", 64), 14),
    (("campaign", 57), 14),
    (("referral", 82), 10),
    (("partner", 74), 6),
];

/// What becomes of a call that nobody answers.
pub(super) const UNANSWERED: &[&str] = &["no answer", "voicemail", "busy"];
/// Why leads are given up.
pub(super) const NO_LEAD: &[&str] =
    &["No need for labelling", "Has a long contract elsewhere", "Company was closed", "Wrong contact"];
/// Why prospects are given up.
pub(super) const NO_INTEREST: &[&str] =
    &["Budget was cut", "Project was put off", "Decided for a competitor", "Does it in-house"];
/// Why deals are lost.
pub(super) const NO_DEAL: &[&str] = &[
    "Price was too high",
    "Lost to a competitor",
    "Project was stopped",
    "No decision was made",
    "Delivery would have come too late",
    "A function was missing",
];
/// Why won deals are taken back.
pub(super) const TAKEN_BACK: &[&str] =
    &["Financing fell through", "Ordered twice by mistake", "Cancelled within the agreed time"];
/// What people write down.
pub(super) const NOTES: &[&str] = &[
    "Prefers to be called in the morning.",
    "Wants everything in writing.",
    "New head of purchasing since this month.",
    "Printers run two shifts; no downtime before the season ends.",
    "Asked for a reference in the same sector.",
    "Compares us with one other supplier.",
];

/// The code of what endangers somebody.
pub(super) const DANGER: &str = "POWER_SUPPLY";
/// What customers complain about.
pub(super) const MATTERS: &[Matter] = &[
    Matter {
        subject: "Labels come off in the cold store",
        description: "The labels hold at room temperature.\nAt two degrees they come off within a day, and we cannot tell \
                      the pallets apart.",
        remedy: Some("Labels that hold, free of charge"),
        response: "We send labels with another adhesive and take the old ones back.",
        root_cause: "ADHESIVE",
    },
    Matter {
        subject: "Printer stops after every tenth label",
        description: "Since the last update the printer stops and shows error 31.\nWe switch it off and on again.",
        remedy: Some("A printer that runs through"),
        response: "Version 4.2.1 mends it; our technician has installed it.",
        root_cause: "FIRMWARE",
    },
    Matter {
        subject: "Delivered three weeks late",
        description: "Promised for the season, delivered when it was over. We hired people to label by hand.",
        remedy: Some("The cost of the hired people"),
        response: "We bear half of the cost and have changed the forwarder.",
        root_cause: "FORWARDER",
    },
    Matter {
        subject: "Invoice names a price that nobody agreed",
        description: "The offer says otherwise, see the copy.\nThree calls have not changed it.",
        remedy: Some("A right invoice"),
        response: "You are right. The invoice is cancelled, and the new one follows the offer.",
        root_cause: "PRICE_LIST",
    },
    Matter {
        subject: "Scanner does not read worn codes",
        description: "Every fifth code has to be typed in.",
        remedy: None,
        response: "We have adjusted the reading distance and left a scanner for comparison.",
        root_cause: "SETTINGS",
    },
    Matter {
        subject: "Nobody calls back",
        description: "Four calls to your hotline in two weeks, four promises, no call.",
        remedy: Some("Somebody who answers"),
        response: "You have a contact of your own from now on, with a direct line.",
        root_cause: "HOTLINE",
    },
    Matter {
        subject: "Smell of burning from the power supply",
        description: "It became hot and smelt. We have taken it off the mains.",
        remedy: Some("A new power supply today"),
        response: "A new power supply is on its way; please keep the old one for us.",
        root_cause: DANGER,
    },
];
/// What customers complain about that is not for everybody.
pub(super) const PROMISES: Matter = Matter {
    subject: "What was promised in person is not in the contract",
    description: "At the visit we were promised free maintenance for two years. In the contract there is nothing of it.",
    remedy: Some("Free maintenance, as promised"),
    response: "We have spoken with everybody who was there. The contract stands; we give one year as a courtesy.",
    root_cause: "PROMISE",
};
/// What customers are told on the way.
pub(super) const NEWS: &[&str] = &[
    "We have found the batch and are testing it.",
    "Our technician looks at it tomorrow.",
    "The manufacturer has promised us an answer.",
];
/// Why it is not for us to settle.
pub(super) const NOT_OURS: &str = "The machine is not from us. We have named you the dealer who sold it.";
/// Why a response is disputed.
pub(super) const DISPUTED: &str = "That does not make up for what it cost us.";
/// Why a complaint is taken up again.
pub(super) const AGAIN: &str = "It happened again.";
/// Where customers can turn to.
pub(super) const RECOURSE: &str = "The arbitration board of the chamber of commerce";
