//! The demo: a believable sales organisation with fourteen months of daily work, made from a seed.
//!
//! What happens when is decided in `plan`, which is pure: one seed and one last day give one history.
//! `writer` then writes it through the same door as everybody else's work.

mod calendar;
mod complaints;
mod contact;
mod desk;
mod dice;
mod people;
mod plan;
mod seller;
mod story;
mod words;
mod writer;

use chrono::Days;
use evenhand_app::App;
use evenhand_app::invitations::NewAdministrator;
use evenhand_app::passwords::Passwords;
use evenhand_domain::access::{Actor, Role};
use evenhand_domain::error::Result;
use evenhand_domain::organizations::NewOrganization;

use self::writer::{Found, Tell};

/// Name of the demo organisation.
pub const DEMO_ORGANIZATION: &str = "Kestrel & Vale Labelling";
/// Password of everybody in it. The demo is for one's own machine only.
pub const DEMO_PASSWORD: &str = "fair-shares-for-all";
/// What the requests of the demo are called in the event log.
const REQUEST: &str = "demo";
/// Customers whose stories are written in one transaction: enough to make its cost small, few enough for a
/// progress bar that moves.
const STORIES_AT_ONCE: usize = 200;

/// Somebody to sign in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoAccount {
    /// What they are in the organisation.
    pub role: Role,
    /// Full name.
    pub name: String,
    /// E-mail address; the password is [`DEMO_PASSWORD`].
    pub email: String,
}

/// One account for each role; the same for every seed.
pub fn accounts() -> Vec<DemoAccount> {
    let account =
        |(role, name): (Role, &str)| DemoAccount { role, name: name.to_owned(), email: people::email(name) };
    people::accounts().into_iter().map(account).collect()
}

/// Builds the organisation with its history up to yesterday, told `times` over, each time with other
/// customers and other people who sell.
/// `on_progress` is told how many of how many steps are done.
///
/// # Errors
/// When the database cannot be written; what was done until then stays, so begin again with an empty one.
pub async fn seed(
    app: &App,
    seed: u64,
    times: usize,
    mut on_progress: impl FnMut(u64, u64),
) -> Result<Vec<DemoAccount>> {
    let today = app.now().date_in(calendar::ZONE);
    let plan = plan::generate(seed, today - Days::new(1));
    let steps = plan.stories.chunks(STORIES_AT_ONCE).len();
    let total = 1 + (times * steps) as u64;
    on_progress(0, total);

    let administrator = NewAdministrator {
        organization: NewOrganization {
            name: DEMO_ORGANIZATION.into(),
            time_zone: calendar::ZONE.name().into(),
            currency: "EUR".into(),
        },
        name: people::ADMIN.into(),
        email: people::email(people::ADMIN),
        password: DEMO_PASSWORD.into(),
    };
    let (organization, admin) = app.create_administrator(&administrator).await?;
    let actor = Actor::System { organization: organization.id, zone: organization.time_zone };
    // One hash for all: forty would take seconds, and the password is no secret.
    let password_hash = Passwords::new()?.hash(DEMO_PASSWORD).await?;
    let found = Found { plan: &plan, times, admin: admin.id, password_hash: &password_hash };
    let founded = app.execute(&actor, REQUEST, &found).await?;
    on_progress(1, total);

    for time in 0..times {
        for (index, stories) in plan.stories.chunks(STORIES_AT_ONCE).enumerate() {
            let tell = Tell { stories, time, first: index * STORIES_AT_ONCE, founded: &founded };
            app.execute(&actor, REQUEST, &tell).await?;
            on_progress((time * steps + index) as u64 + 2, total);
        }
    }
    Ok(accounts())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_account_for_each_role_and_addresses_are_plain() {
        let roles: Vec<Role> = accounts().iter().map(|account| account.role).collect();
        assert!(Role::ALL.iter().all(|role| roles.iter().filter(|found| *found == role).count() == 1));
        assert_eq!(people::email("Inès Courtade"), "ines.courtade@kestrel-vale.example");
        let plan = plan::generate(1, chrono::NaiveDate::from_ymd_opt(2026, 11, 22).expect("a date"));
        assert!(plan.people.iter().all(|person| people::email(person.name).is_ascii()));
    }
}
