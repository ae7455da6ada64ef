//! Database errors become domain errors here and nowhere else.

use evenhand_domain::error::{Code, Error, Problem};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// Unique constraints that an input can break: name on PostgreSQL, columns on SQLite, the input's field.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("organizations_name", "organizations.name_key", "name"),
    ("users_email", "users.email_key", "email"),
    ("teams_name", "teams.name_key", "name"),
    ("work_calendars_name", "work_calendars.name_key", "name"),
    ("products_name", "products.name_key", "name"),
    ("products_code", "products.code_key", "code"),
    ("deals_number", "deals.number_key", "number"),
    ("targets_of_user", "targets.owner_user_id", "period"),
    ("targets_of_team", "targets.owner_team_id", "period"),
    ("api_clients_name", "api_clients.name_key", "name"),
    ("sla_policies_name", "sla_policies.name_key", "name"),
    ("complaints_number", "complaints.number_key", "number"),
    ("customers_number", "customers.number_key", "number"),
];

/// PostgreSQL: serialization failure, deadlock, lock timeout, and a session that the server ended.
const POSTGRES_RETRY: &[&str] = &["40001", "40P01", "55P03"];
const POSTGRES_GONE: &[&str] = &["57P01", "57P02", "57P03", "25006", "53300", "57014", "25P03"];
/// SQLite: BUSY, LOCKED and BUSY_SNAPSHOT.
const SQLITE_RETRY: &[&str] = &["5", "6", "261", "517"];

/// What a failed statement means to the caller.
pub(crate) fn database_error(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => return unique(&message),
        // An id in the input that names no row of this organisation: absent or invisible.
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Error::NotFound,
        _ => {}
    }
    match &error {
        DbErr::ConnectionAcquire(cause) => Error::Unavailable(format!("no database connection: {cause}")),
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => match &**cause {
            sqlx::Error::Database(cause) => {
                let code = cause.code().unwrap_or_default();
                if POSTGRES_RETRY.contains(&&*code) || SQLITE_RETRY.contains(&&*code) {
                    Error::Contention
                } else if POSTGRES_GONE.contains(&&*code) {
                    Error::Unavailable(format!("the database refused: {cause}"))
                } else {
                    Error::Internal(error.to_string())
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => Error::Unavailable(format!("the database is out of reach: {cause}")),
            _ => Error::Internal(error.to_string()),
        },
        _ => Error::Internal(error.to_string()),
    }
}

fn unique(message: &str) -> Error {
    match UNIQUE.iter().find(|(name, columns, _)| message.contains(name) || message.contains(columns)) {
        Some((_, _, field)) => {
            Problem::new(Code::Taken, "Another one has this value already.").at(*field).into()
        }
        // Every other unique key holds what two writers raced for: the loser reads again.
        None => Error::Conflict,
    }
}

/// A row that breaks an invariant: a fault of ours, named so that it can be found.
pub(crate) fn bad_row(table: &str, id: impl std::fmt::Display, what: &str) -> Error {
    Error::Internal(format!("row {id} of {table}: {what}"))
}
