//! What a client may do is the meeting of its role and its scopes, and its secrets work as long as they should.

use chrono::{DateTime, Duration};
use chrono_tz::Tz;
use uuid::Uuid;

use super::*;
use crate::access::{Actor, ClientPrincipal, Scope};
use crate::error::Error;

fn at(minute: i64) -> Timestamp {
    Timestamp::new(DateTime::from_timestamp_secs(1_764_000_000 + 60 * minute).expect("an instant"))
}

fn id<I: EntityId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

fn input(role: Role, scopes: &[&str]) -> NewApiClient {
    NewApiClient { name: "Web form".into(), role, scopes: scopes.iter().map(ToString::to_string).collect() }
}

fn client(role: Role, scopes: &[&str]) -> ApiClient {
    ApiClient::create(&input(role, scopes), "first".into(), id(1), at(0)).expect("a client").into_state()
}

fn actor(role: Role, scopes: Scopes) -> Actor {
    let token = ClientToken { organization: id(9), client: id(1), id: Uuid::from_u128(2), generation: 1 };
    Actor::Client(ClientPrincipal { token, role, scopes, zone: Tz::UTC })
}

/// The problems as `field: CODE`.
fn problems<T: std::fmt::Debug>(result: Result<T>) -> Vec<String> {
    let Err(Error::Rejected(problems)) = result else { panic!("{result:?}") };
    problems.iter().map(|problem| format!("{}: {}", problem.field.join("."), problem.code.as_str())).collect()
}

#[test]
fn a_client_may_do_what_both_its_role_and_its_scopes_allow() {
    let all: Scopes = ApiScope::ALL.iter().copied().collect();
    for &role in Role::ALL.iter().filter(|role| role.takes_clients()) {
        for &permission in Permission::ALL {
            let needed = ApiScope::of(permission);
            let all_but = all.iter().filter(|&scope| Some(scope) != needed).collect();
            let granted = |scopes| actor(role, scopes).grant(permission).map(|grant| grant.scope());
            match (needed, granted(all)) {
                (None, outcome) => {
                    assert!(matches!(outcome, Err(Error::ScopeMissing(None))), "{role:?} {permission:?}");
                }
                (Some(needed), Ok(scope)) => {
                    assert_eq!(scope, Scope::Organization, "{role:?} {permission:?}");
                    assert!(role.may(permission) && role.reaches(needed), "{role:?} {permission:?}");
                    assert!(granted([needed].into_iter().collect()).is_ok(), "it alone is enough");
                    let without = granted(all_but);
                    assert!(
                        matches!(without, Err(Error::ScopeMissing(Some(it))) if it == needed),
                        "{without:?}"
                    );
                }
                (Some(_), outcome) => {
                    assert!(matches!(outcome, Err(Error::Forbidden)), "{role:?} {permission:?}");
                }
            }
        }
    }
}

#[test]
fn every_scope_is_for_something_and_named_alike() {
    for &scope in ApiScope::ALL {
        assert!(Role::Admin.reaches(scope), "{scope:?}");
        let (resource, verb) = scope.as_str().split_once(':').expect("two parts");
        assert!(!resource.is_empty() && ["read", "write"].contains(&verb), "{scope:?}");
    }
    for &permission in Permission::ALL {
        let reads = format!("{permission:?}").starts_with("Read");
        assert!(ApiScope::of(permission).is_none_or(|scope| scope.is_write() != reads), "{permission:?}");
    }
}

#[test]
fn a_change_looks_up_what_its_role_may_read_and_a_query_what_its_scopes_allow() {
    let scopes = |scope| [scope].into_iter().collect();
    let also = |scope, permission, other| {
        let grant = actor(Role::ServiceAgent, scopes(scope)).grant(permission).expect("granted");
        grant.also(other).map(|grant| (grant.permission(), grant.scope()))
    };
    let (write, read) = (ApiScope::ComplaintsWrite, ApiScope::ComplaintsRead);
    let customers = also(write, Permission::HandleComplaints, Permission::ReadCustomers);
    assert_eq!(customers.ok(), Some((Permission::ReadCustomers, Scope::Organization)));
    let deals = also(write, Permission::HandleComplaints, Permission::ReadDeals);
    assert!(matches!(deals, Err(Error::Forbidden)), "{deals:?}");
    let users = also(write, Permission::HandleComplaints, Permission::ManageUsers);
    assert!(matches!(users, Err(Error::ScopeMissing(None))), "{users:?}");
    let customers = also(read, Permission::ReadComplaints, Permission::ReadCustomers);
    assert!(matches!(customers, Err(Error::ScopeMissing(Some(ApiScope::CustomersRead)))), "{customers:?}");
}

#[test]
fn role_and_scopes_of_a_client_must_fit() {
    let create = |role, scopes: &[&str]| {
        problems(ApiClient::create(&input(role, scopes), String::new(), id(1), at(0)))
    };
    assert_eq!(create(Role::Rep, &["customers:read"]), ["role: NOT_APPLICABLE"]);
    assert_eq!(create(Role::Manager, &["deals:red"]), ["role: NOT_APPLICABLE", "scopes.0: INVALID_FORMAT"]);
    assert_eq!(create(Role::Admin, &[]), ["scopes: REQUIRED"]);
    assert_eq!(
        create(Role::Admin, &["", "users:write"]),
        ["scopes.0: INVALID_FORMAT", "scopes.1: INVALID_FORMAT"]
    );
    assert_eq!(create(Role::Admin, &["deals:read"; 50]), ["scopes: TOO_MANY"]);
    assert_eq!(create(Role::Finance, &["deals:read", "complaints:read"]), ["scopes.1: NOT_PERMITTED"]);
    assert_eq!(
        create(Role::ServiceAgent, &["activities:write"]),
        ["scopes.0: NOT_PERMITTED"],
        "only its own"
    );

    let twice = client(Role::Admin, &["deals:write", "deals:read", "deals:write"]);
    assert_eq!(twice.scopes.to_string(), "deals:read deals:write");
    assert_eq!(Scopes::known("deals:read  never:read deals:write"), twice.scopes);
    let narrower = ApiClientUpdate { role: Some(Role::ServiceAgent), ..ApiClientUpdate::default() };
    assert_eq!(
        problems(twice.update(&narrower, at(1))),
        ["scopes.0: NOT_PERMITTED", "scopes.1: NOT_PERMITTED"]
    );
}

#[test]
fn an_old_secret_works_for_the_overlap_and_the_one_before_it_no_longer() {
    let working = |client: &ApiClient, minute| {
        client
            .secrets(at(minute))
            .map(|(generation, hash)| format!("{generation} {hash}"))
            .collect::<Vec<_>>()
    };
    let first = client(Role::Admin, &["deals:read"]);
    assert_eq!(working(&first, 0), ["1 first"]);
    let second = first.rotate("second".into(), 60, at(0)).expect("rotated").into_state();
    assert_eq!(working(&second, 59), ["2 second", "1 first"]);
    assert_eq!(working(&second, 60), ["2 second"]);
    let third = second.rotate("third".into(), 60, at(10)).expect("rotated").into_state();
    assert_eq!(working(&third, 10), ["3 third", "2 second"]);
    let fourth = third.rotate("fourth".into(), 0, at(20)).expect("rotated").into_state();
    assert_eq!(working(&fourth, 20), ["4 fourth"]);
    for overlap in [-1, OVERLAP_MINUTES_MAX + 1] {
        assert_eq!(problems(fourth.rotate(String::new(), overlap, at(20))), ["overlapMinutes: OUT_OF_RANGE"]);
    }
    let revoked = third.revoke(at(20)).expect("revoked").into_state();
    assert_eq!(working(&revoked, 20), [""; 0]);
    assert_eq!(problems(revoked.revoke(at(21))), ["id: INVALID_TRANSITION"]);
    assert_eq!(problems(revoked.rotate(String::new(), 0, at(21))), ["id: INVALID_TRANSITION"]);
    assert_eq!(problems(revoked.update(&ApiClientUpdate::default(), at(21))), ["id: INVALID_TRANSITION"]);
}

#[test]
fn no_view_shows_a_secret_or_its_hash() {
    let change = client(Role::Admin, &["deals:read"]).rotate("second".into(), 60, at(0)).expect("rotated");
    let event = change.event();
    let text = format!("{:?} {}", event.before, event.after);
    assert!(!text.contains("first") && !text.contains("second"), "{text}");
    assert_eq!(event.after["secretGeneration"], 2);
    assert_eq!(event.after["oldSecretExpiresAt"], at(0).plus(Duration::minutes(60)).to_string());
}
