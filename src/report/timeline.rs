//! What an apply did when, and what made it as long as it was.
//!
//! The *critical path* is the chain of dependencies whose working times add up to the most: with any number of
//! operations at once, the apply could not have been shorter. What it took beyond that it waited: for calls, for a turn,
//! for the next look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::API_VERSION;
use super::order::{Dependencies, dependencies_first};
use super::{Paint, words};
use crate::model::Key;

/// The width of the chart in columns.
const WIDTH: usize = 80;
/// Names are cut to this many columns.
const NAME: usize = 28;
/// Room for `1h 25m 3s`.
const TOOK: usize = 10;

/// One operation on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The object.
    pub key: Key,
    /// What was done: `create`.
    pub verb: String,
    /// When it started.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// It ended as intended.
    pub ok: bool,
}

/// The timeline of an apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// `landfast/v1`.
    #[schemars(extend("const" = "landfast/v1"))]
    pub api_version: String,
    /// `Timeline`.
    #[schemars(extend("const" = "Timeline"))]
    pub kind: String,
    /// Seconds from the first start to the last end.
    pub makespan_seconds: u64,
    /// The sum of all operations, in seconds.
    pub work_seconds: u64,
    /// Seconds of the longest dependency chain: the minimum duration of the same operations.
    pub critical_path_seconds: u64,
    /// Objects on that chain, first to last.
    pub critical_path: Vec<String>,
    /// The operations, by start time.
    pub bars: Vec<Bar>,
}

/// One operation in a [`Timeline`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bar {
    /// The object's address.
    pub object: String,
    /// What was done.
    pub verb: String,
    /// When it started.
    #[schemars(with = "String")]
    pub start: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub end: Timestamp,
    /// Its duration in seconds.
    pub seconds: u64,
    /// It ended as intended.
    pub ok: bool,
    /// Its object is on the critical path.
    pub critical: bool,
}

impl Timeline {
    /// Looks back at these operations; `dependencies` says what each object had to wait for.
    #[must_use]
    pub fn of(spans: &[Span], dependencies: &BTreeMap<Key, BTreeSet<Key>>) -> Self {
        let took = |span: &Span| words::between(span.start, span.end).as_secs();
        let mut work: BTreeMap<&Key, u64> = BTreeMap::new();
        for span in spans {
            *work.entry(&span.key).or_default() += took(span);
        }
        let (critical_path_seconds, path) = longest_chain(&work, dependencies);
        let first = spans.iter().map(|span| span.start).min();
        let last = spans.iter().map(|span| span.end).max();
        let makespan = first.zip(last).map(|(first, last)| words::between(first, last)).unwrap_or_default();
        let mut sorted: Vec<&Span> = spans.iter().collect();
        sorted.sort_by_key(|span| (span.start, span.end, &span.key));
        let bars = sorted.into_iter().map(|span| Bar {
            object: span.key.to_string(),
            verb: span.verb.clone(),
            start: span.start,
            end: span.end,
            seconds: took(span),
            ok: span.ok,
            critical: path.contains(&span.key),
        });
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Timeline".to_owned(),
            makespan_seconds: makespan.as_secs(),
            work_seconds: work.values().sum(),
            critical_path_seconds,
            critical_path: path.iter().map(ToString::to_string).collect(),
            bars: bars.collect(),
        }
    }

    /// How many operations ran at once on average: what one after the other would have taken, by what it took.
    #[must_use]
    pub fn parallelism(&self) -> f64 {
        if self.makespan_seconds == 0 { 1.0 } else { self.work_seconds as f64 / self.makespan_seconds as f64 }
    }

    /// As a chart of 80 columns: `#` is on the critical path, `=` is not, `x` is an end in failure.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let Some(begin) = self.bars.first().map(|bar| bar.start) else {
            return "No operations.\n".to_owned();
        };
        let names = self.bars.iter().map(|bar| label(bar).chars().count()).max().unwrap_or_default();
        let chart = WIDTH.saturating_sub(names + TOOK + 4).max(1);
        let mut text = String::new();
        for bar in &self.bars {
            let line = bar.draw(begin, self.makespan_seconds, chart);
            let line = match (bar.ok, bar.critical) {
                (false, _) => paint.danger(line),
                (true, true) => paint.change(line),
                (true, false) => line,
            };
            let took = words::duration(Duration::from_secs(bar.seconds));
            let _ = writeln!(text, "{:names$} |{line}| {took:>TOOK$}", label(bar));
        }
        text.push_str(&self.summary(paint));
        text
    }

    fn summary(&self, paint: Paint) -> String {
        let say = |seconds| words::duration(Duration::from_secs(seconds));
        let legend = "# critical path   = other   x failed";
        let mut text = format!("{}\n\n", paint.quiet(legend));
        let _ = writeln!(
            text,
            "Took {}; sequentially it would have taken {} ({:.1} operations in parallel on average).",
            say(self.makespan_seconds),
            say(self.work_seconds),
            self.parallelism()
        );
        let path = self.critical_path.iter().map(|object| short(object)).collect::<Vec<_>>().join(" → ");
        let _ = writeln!(text, "Critical path {}: {path}.", say(self.critical_path_seconds));
        let waited = self.makespan_seconds.saturating_sub(self.critical_path_seconds);
        if waited > 0 {
            let _ = writeln!(text, "Remaining {}: API calls, queueing, polling.", say(waited));
        }
        text
    }
}

impl Bar {
    /// `chart` columns from the beginning to the end of the apply; at least one of them is this bar's.
    fn draw(&self, begin: Timestamp, makespan: u64, chart: usize) -> String {
        let column = |at: Timestamp| {
            let seconds = words::between(begin, at).as_secs();
            let column = u128::from(seconds) * chart as u128 / u128::from(makespan.max(1));
            usize::try_from(column).unwrap_or(chart).min(chart)
        };
        let from = column(self.start).min(chart.saturating_sub(1));
        let to = column(self.end).max(from + 1);
        let ink = if self.critical { '#' } else { '=' };
        (0..chart)
            .map(|x| match x {
                x if x + 1 == to && !self.ok => 'x',
                x if (from..to).contains(&x) => ink,
                _ => ' ',
            })
            .collect()
    }
}

fn label(bar: &Bar) -> String {
    let (name, verb) = (short(&bar.object), &bar.verb);
    let room = NAME.saturating_sub(verb.chars().count() + 1);
    if name.chars().count() <= room {
        return format!("{name} {verb}");
    }
    let cut: String = name.chars().take(room.saturating_sub(1)).collect();
    format!("{cut}… {verb}")
}

/// The object's name without environment and kind: an apply is of one environment.
fn short(object: &str) -> &str {
    object.rsplit('/').next().unwrap_or(object)
}

/// The chain of dependencies with the most work, and how much that is. Objects without work carry a chain on.
fn longest_chain(work: &BTreeMap<&Key, u64>, dependencies: &Dependencies) -> (u64, Vec<Key>) {
    let mut all = dependencies.clone();
    for key in work.keys() {
        all.entry((*key).clone()).or_default();
    }
    let mut best: BTreeMap<Key, (u64, Option<Key>)> = BTreeMap::new();
    for key in dependencies_first(&all) {
        // Of equal chains the first by name, so that equal inputs give equal reports.
        let before = all.get(&key).into_iter().flatten().filter_map(|need| Some((best.get(need)?.0, need)));
        let before = before.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
        let own = work.get(&key).copied().unwrap_or_default();
        let (sum, previous) = before.map_or((0, None), |(sum, need)| (sum, Some(need.clone())));
        best.insert(key, (sum + own, previous));
    }
    let end = best.iter().filter(|(key, _)| work.contains_key(key));
    let Some((end, length)) = end.max_by(|a, b| a.1.0.cmp(&b.1.0).then_with(|| b.0.cmp(a.0))).map(|(k, v)| (k, v.0))
    else {
        return (0, Vec::new());
    };
    let mut path = Vec::new();
    let mut next = Some(end);
    while let Some(key) = next {
        if work.contains_key(key) {
            path.push(key.clone());
        }
        next = best.get(key).and_then(|(_, previous)| previous.as_ref());
    }
    path.reverse();
    (length, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, at, key};

    fn span(name: &str, start: &str, end: &str, ok: bool) -> Span {
        Span { key: key(name), verb: "create".to_owned(), start: at(start), end: at(end), ok }
    }

    fn sample() -> Timeline {
        let spans = [
            span("msk", "03:02:10", "03:27:13", true),
            span("network", "03:00:00", "03:02:00", true),
            span("iam", "03:00:00", "03:00:40", true),
            span("alb", "03:02:05", "03:05:00", false),
            span("ecs-service-with-a-rather-long-name", "03:27:15", "03:31:00", true),
        ];
        let dependencies = [
            (key("msk"), [key("network"), key("iam")].into()),
            (key("alb"), [key("network")].into()),
            (key("ready-before"), [key("msk")].into()),
            (key("ecs-service-with-a-rather-long-name"), [key("ready-before"), key("alb")].into()),
        ];
        Timeline::of(&spans, &dependencies.into())
    }

    #[test]
    fn the_chart_shows_what_ran_when_and_what_it_hung_on() {
        fixtures::golden("timeline.txt", &sample().text(Paint::Plain));
    }

    #[test]
    fn no_line_of_the_chart_is_wider_than_a_terminal() {
        let text = sample().text(Paint::Plain);
        for line in text.lines().filter(|line| line.contains('|')) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn the_critical_path_is_the_longest_chain_and_no_longer_than_the_apply() {
        let timeline = sample();
        assert_eq!(
            timeline.critical_path,
            ["dev/stack/network", "dev/stack/msk", "dev/stack/ecs-service-with-a-rather-long-name"]
        );
        assert_eq!(timeline.critical_path_seconds, 120 + 1503 + 225);
        assert!(timeline.critical_path_seconds <= timeline.makespan_seconds);
    }

    #[test]
    fn the_document_reads_back_and_fits_its_schema() {
        fixtures::check_contract("Timeline", &sample());
    }

    #[test]
    fn an_apply_that_did_nothing_says_so() {
        let timeline = Timeline::of(&[], &BTreeMap::new());
        assert_eq!(timeline.text(Paint::Plain), "No operations.\n");
        assert_eq!((timeline.makespan_seconds, timeline.critical_path_seconds), (0, 0));
    }
}
