//! `landfast schema`: JSON Schemas of what people write and of what programs read.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::schema_for;
use serde_json::Value;

use super::apply::Applied;
use super::validate::Validation;
use crate::cli::beacon::Beacon;
use crate::cli::exit::{Exit, Trouble};
use crate::cli::terminal;
use crate::files;
use crate::manifest;
use crate::operator;
use crate::report::{self, to_json};

pub(super) fn run(out: Option<&Path>) -> Result<Exit, Trouble> {
    let schemas = all()?;
    let failed = |error| Trouble::machine("the schema could not be written", error);
    let Some(directory) = out else {
        terminal::print(
            &to_json(&schemas).map_err(|error| Trouble::machine("the schema could not be written", error))?,
        )?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(directory).map_err(failed)?;
    for (name, schema) in &schemas {
        let text = to_json(schema).map_err(|error| Trouble::machine("the schema could not be written", error))?;
        files::replace(&directory.join(name), text.as_bytes(), files::Access::Public).map_err(failed)?;
    }
    Ok(Exit::Done)
}

/// File name → schema: manifests (`landfast.json` for any of them), and reports under `report-`.
fn all() -> Result<BTreeMap<String, Value>, Trouble> {
    let mut schemas: BTreeMap<String, Value> =
        manifest::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    schemas.insert("operator.json".to_owned(), operator::schema());
    let mut reports = report::schemas();
    reports.insert("Applied", schema_for!(Applied<'_>));
    reports.insert("Daemon", schema_for!(Beacon));
    reports.insert("Validation", schema_for!(Validation<'_>));
    for (name, schema) in reports {
        let value =
            serde_json::to_value(schema).map_err(|error| Trouble::machine("the schema could not be made", error))?;
        schemas.insert(format!("report-{}.json", name.to_lowercase()), value);
    }
    Ok(schemas)
}
