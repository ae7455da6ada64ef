//! `evenhand admin`: what only the operator of the installation may do.

use std::io::Read;

use clap::{Args, Subcommand};
use evenhand_app::invitations::NewAdministrator;
use evenhand_app::passwords::PASSWORD_CHARS_MAX;
use evenhand_app::tokens::KEY_CACHE_SECONDS;
use evenhand_domain::organizations::NewOrganization;

use crate::assembly::{self, Schema};
use crate::cli::print;
use crate::config::Settings;
use crate::failure::Failure;

/// Longest password that is read, in bytes: the most characters, each as long as one can be.
const PASSWORD_BYTES_MAX: u64 = 4 * PASSWORD_CHARS_MAX as u64;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make an administrator, and the organisation where there is none of that name
    Create(CreateArgs),
    /// Make a new key to sign access tokens with
    RotateKeys,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name of the organisation
    #[arg(long)]
    organization: String,
    /// E-mail address to sign in with
    #[arg(long)]
    email: String,
    /// Full name
    #[arg(long, default_value = "Administrator")]
    name: String,
    /// IANA time zone of a new organisation, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
    /// ISO 4217 code of a new organisation's own currency
    #[arg(long, value_name = "CODE", default_value = "USD")]
    currency: String,
    /// Read the password from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

pub(crate) async fn run(settings: &Settings, command: &AdminCommand) -> Result<(), Failure> {
    match command {
        AdminCommand::Create(args) => create(settings, args).await,
        AdminCommand::RotateKeys => rotate_keys(settings).await,
    }
}

async fn create(settings: &Settings, args: &CreateArgs) -> Result<(), Failure> {
    let password = read_password(std::io::stdin().lock())?;
    let (app, store) = assembly::open(settings, Schema::MadeWhereEmpty).await?;
    let input = NewAdministrator {
        organization: NewOrganization {
            name: args.organization.clone(),
            time_zone: args.time_zone.clone(),
            currency: args.currency.clone(),
        },
        name: args.name.clone(),
        email: args.email.clone(),
        password,
    };
    let (organization, user) = app
        .create_administrator(&input)
        .await
        .map_err(|error| Failure::from(error).during("the administrator was not made"))?;
    app.sequence_all().await?;
    store.close().await?;
    print(format_args!(
        "{} <{}> is an administrator of {} ({}, {})",
        user.name,
        args.email,
        organization.name,
        organization.time_zone.name(),
        organization.currency.code(),
    ))
}

/// The password: all of `input` but the end of its line.
fn read_password(input: impl Read) -> Result<String, Failure> {
    let mut password = String::new();
    input
        .take(PASSWORD_BYTES_MAX + 2)
        .read_to_string(&mut password)
        .map_err(|error| Failure::from(error).during("the password cannot be read from standard input"))?;
    let line = password.strip_suffix('\n').unwrap_or(&password);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

async fn rotate_keys(settings: &Settings) -> Result<(), Failure> {
    let (app, store) = assembly::open(settings, Schema::Expected).await?;
    let id = app.rotate_signing_key().await?;
    store.close().await?;
    print(format_args!(
        "key {id} is published and signs after {KEY_CACHE_SECONDS} s, or at once where no other key opens; the keys \
         before it retire with their last token"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_taken_as_typed_without_the_end_of_its_line() {
        for (input, password) in
            [("a b\n", "a b"), ("a b\r\n", "a b"), ("a b", "a b"), (" a \n\n", " a \n"), ("", "")]
        {
            assert_eq!(read_password(input.as_bytes()).expect("read"), password, "{input:?}");
        }
        assert!(read_password(&b"\xff\xfe"[..]).is_err());
    }
}
