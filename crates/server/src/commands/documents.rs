//! `evenhand documents`: what the clients of an organisation are known to ask.

use std::path::PathBuf;

use clap::Subcommand;
use evenhand_app::documents::read_manifest;

use crate::assembly::{self, Schema};
use crate::cli::print;
use crate::config::Settings;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum DocumentsCommand {
    /// Register the documents of a manifest, as Relay, GraphQL Code Generator and Apollo write it
    Register {
        /// The manifest: JSON
        file: PathBuf,
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organization: String,
    },
    /// Take registered documents only from a client, or any document again
    Only {
        /// The client, as it names itself in X-Client-Name; * is every client of the organisation
        client: String,
        /// Take any document again
        #[arg(long)]
        off: bool,
        /// Name of the organisation
        #[arg(long, value_name = "NAME")]
        organization: String,
    },
}

pub(crate) async fn run(settings: &Settings, command: &DocumentsCommand) -> Result<(), Failure> {
    let (app, store) = assembly::open(settings, Schema::Expected).await?;
    match command {
        DocumentsCommand::Register { file, organization } => {
            let organization = assembly::organization(&store, organization).await?.id;
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::from(error).during(format!("{} cannot be read", file.display())))?;
            let documents = read_manifest(&text)?;
            // All are judged before the first is registered.
            for (hash, document) in &documents {
                evenhand_api::check_document(document, &settings.limits).map_err(|reasons| {
                    let refused = Failure::new(format!("document {hash} is refused"));
                    reasons.into_iter().fold(refused, |failure, reason| failure.because(reason))
                })?;
            }
            for (hash, document) in &documents {
                app.register_document(organization, hash, document).await?;
            }
            print(format!("{} documents are registered", documents.len()))?;
        }
        DocumentsCommand::Only { client, off, organization } => {
            let organization = assembly::organization(&store, organization).await?.id;
            app.set_trusted_client(organization, client, !off).await?;
            let what = if *off { "any document" } else { "registered documents only" };
            print(format!("{client} may send {what}; every node knows within seconds"))?;
        }
    }
    Ok(store.close().await?)
}
