//! In which form a command prints what it found.

use clap::ValueEnum;

/// Format of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// The JSON document, as YAML.
    Yaml,
}

/// Format of lists of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// A table.
    Text,
    /// A table with more columns.
    Wide,
    /// The objects' addresses, one on each line.
    Name,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// The JSON document, as YAML.
    Yaml,
}

/// Format of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// The JSON document, as YAML.
    Yaml,
    /// For a pull request: at most 65,000 characters.
    Markdown,
}

impl From<Output> for PlanOutput {
    fn from(output: Output) -> Self {
        match output {
            Output::Text => Self::Text,
            Output::Json => Self::Json,
            Output::Yaml => Self::Yaml,
        }
    }
}

/// Format of a drift report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DriftOutput {
    /// For a terminal.
    Text,
    /// For programs: versioned, with a schema (`landfast schema`).
    Json,
    /// For a merge request or a chat.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// For code hosts that show findings beside the code (SARIF 2.1.0).
    Sarif,
    /// For CI systems that show tests.
    Junit,
}

/// Format of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A tree, for the terminal.
    Tree,
    /// For Markdown that renders Mermaid.
    Mermaid,
    /// For Graphviz.
    Dot,
}
