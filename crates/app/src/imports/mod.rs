//! Import of other systems' exports: a profile says which file becomes what, and each row gets a verdict.
//!
//! A row is found again in a later run by its key. It is created when the key is new, unchanged when it says
//! what it said before, and updated when it says something else. What a row does not say is never taken away.
//! An object that is there already, but not by this profile, is taken up instead of made twice: a team or a
//! product of the same name, a person of the same e-mail address, a customer or a deal of the same number.

mod chunk;
mod fields;
mod known;
pub mod mapping;
pub mod profile;
mod records;
pub mod rows;
mod run;
mod template;

use std::io::Cursor;

use evenhand_domain::access::Permission;
use evenhand_domain::error::{Code, Error, Problem, Problems, Result};
use evenhand_domain::id::ImportId;
use evenhand_domain::imports::{Import, ImportFile, ImportRow, NewImport, Verdict};
use evenhand_domain::page::{Page, PageRequest};
use evenhand_persistence::{Reader, Tx};

use crate::door::{Command, Query};
pub(crate) use run::run_import_job;
pub use run::{CHUNK_ROWS, Files, Folder, ImportRequest, OpenFile, Progress, run_import};

#[cfg(test)]
mod tests;

/// Most files of an import that comes with its files.
pub const FILES_MAX: usize = 20;
/// Largest sum of such files, in bytes. Larger ones go through the command line, which reads them as they lie.
pub const FILES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The profile waits beside the files; no source can have this name.
const PROFILE_FILE: &str = ".profile.toml";

/// Asks for an import of files that come with the request; a job runs it.
#[derive(Debug)]
pub struct StartImport {
    /// The profile, in TOML.
    pub profile: String,
    /// The files that its sources name.
    pub files: Vec<ImportFile>,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Ignore the aliases of the profile.
    pub without_aliases: bool,
}

impl Command for StartImport {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Import;

    async fn run(&self, tx: &mut Tx) -> Result<Import> {
        let profile =
            run::read_profile(&self.profile, self.without_aliases).map_err(|error| error.at("profile"))?;
        self.check_files(&profile)?;
        run::preflight(&profile, self).await.map_err(|error| error.at("files"))?;
        let input = NewImport {
            profile: profile.name.clone(),
            dry_run: self.dry_run,
            without_aliases: self.without_aliases,
            in_background: true,
        };
        let change = Import::request(&input, tx.new_id(), tx.grant().user(), tx.now())?;
        let import = tx.save(change).await?;
        tx.add_import_files(import.id, &self.files).await?;
        let profile = ImportFile { name: PROFILE_FILE.to_owned(), content: self.profile.clone() };
        tx.add_import_files(import.id, &[profile]).await?;
        Ok(import)
    }
}

impl StartImport {
    fn check_files(&self, profile: &profile::Profile) -> Result<()> {
        let mut problems = Problems::default();
        let bytes: usize = self.files.iter().map(|file| file.content.len()).sum();
        if self.files.len() > FILES_MAX || bytes > FILES_BYTES_MAX {
            let message = format!(
                "At most {FILES_MAX} files of together {FILES_BYTES_MAX} bytes can come with a request; import \
                 larger ones from the command line."
            );
            return Err(Problem::new(Code::TooMany, message).at("files").into());
        }
        for (index, file) in self.files.iter().enumerate() {
            let mut push = |field: &str, code, message: String| {
                problems.push(Problem::new(code, message).at(field).at(index.to_string()).at("files"));
            };
            if self.files[..index].iter().any(|other| other.name == file.name) {
                push("name", Code::Duplicate, format!("There are two files called '{}'.", file.name));
            } else if !profile.sources.iter().any(|source| source.file == file.name) {
                let message = format!("No source of the profile reads a file called '{}'.", file.name);
                push("name", Code::NotFound, message);
            }
            if file.content.contains('\0') || self.profile.contains('\0') {
                push("content", Code::InvalidCharacter, "The file holds NUL characters.".into());
            }
        }
        problems.finish()
    }
}

impl Files for StartImport {
    async fn open(&self, name: &str) -> Result<OpenFile> {
        let file = self.files.iter().find(|file| file.name == name).ok_or_else(|| {
            Error::from(Problem::new(Code::InvalidFile, format!("The file '{name}' is missing.")))
        })?;
        Ok(Box::new(Cursor::new(file.content.clone())))
    }
}

/// An import.
#[derive(Debug)]
pub struct GetImport(pub ImportId);

impl Query for GetImport {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Import;

    async fn run(&self, reader: &Reader<'_>) -> Result<Import> {
        reader.import(self.0).await
    }
}

/// Imports by id; unknown ids are left out.
#[derive(Debug)]
pub struct ImportsByIds(pub Vec<ImportId>);

impl Query for ImportsByIds {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Vec<Import>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Vec<Import>> {
        reader.imports_by_ids(&self.0).await
    }
}

/// A page of the rows of an import, in the order of the files.
#[derive(Debug)]
pub struct ListImportRows {
    /// Which import.
    pub import: ImportId,
    /// Which part.
    pub page: PageRequest,
    /// Only rows with this verdict.
    pub verdict: Option<Verdict>,
}

impl Query for ListImportRows {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = Page<ImportRow>;

    async fn run(&self, reader: &Reader<'_>) -> Result<Page<ImportRow>> {
        reader.import_rows(self.import, &self.page, self.verdict).await
    }
}

/// Number of rows of an import.
#[derive(Debug)]
pub struct CountImportRows {
    /// Which import.
    pub import: ImportId,
    /// Only rows with this verdict.
    pub verdict: Option<Verdict>,
}

impl Query for CountImportRows {
    const PERMISSION: Permission = Permission::ImportData;
    type Output = i64;

    async fn run(&self, reader: &Reader<'_>) -> Result<i64> {
        reader.count_import_rows(self.import, self.verdict).await
    }
}
