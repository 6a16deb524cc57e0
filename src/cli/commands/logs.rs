//! `landfast logs`: what the containers of a service have written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cli::args::{Global, LogsArgs};
use crate::cli::exit::{Exit, Trouble};
use crate::cli::view::{EVERY, View};
use crate::cli::{select, terminal};
use crate::model::{Key, Kind, Scope, Seen, ServiceRef, ServiceState};
use crate::ports::{Priority, TasksWanted, all};
use crate::report::{clean, time};

/// A line of a container. Their order is that in which they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    at: Timestamp,
    task: String,
    container: String,
    message: String,
}

/// What was found: lines, and why some containers have none that could be read.
#[derive(Default)]
struct Found {
    lines: Vec<Line>,
    unread: BTreeSet<String>,
}

pub(super) fn run(global: &Global, asked: &LogsArgs) -> Result<Exit, Trouble> {
    let words = [asked.object.clone()];
    let mut view = View::watching(global, &words)?;
    let key = select::object(&asked.object, global, &view.loaded)?;
    if key.kind != Kind::Service {
        return Err(Trouble::NoLogs(key.to_string()));
    }
    let mut shown = BTreeMap::new();
    let mut found = view.drive(read(&view, &key, asked))?;
    for why in &found.unread {
        terminal::note(&format!("note: {why}"));
    }
    if found.lines.is_empty() && !asked.follow {
        terminal::note("no log lines");
    }
    loop {
        terminal::print(&news(&found.lines, &mut shown))?;
        if !asked.follow {
            return Ok(view.exit(Exit::Done));
        }
        match view.session.ask(view.session.cx.sleep(EVERY)) {
            Err(Trouble::Interrupted) => return Ok(Exit::Done),
            slept => slept?,
        }
        view = view.again(&words)?;
        found = view.drive(read(&view, &key, asked))?;
    }
}

/// The lines that were not shown before. A container may write the same twice in one millisecond.
fn news(lines: &[Line], shown: &mut BTreeMap<Line, usize>) -> String {
    let mut now: BTreeMap<&Line, usize> = BTreeMap::new();
    let mut text = String::new();
    for line in lines {
        let count = now.entry(line).or_default();
        *count += 1;
        if *count > shown.get(line).copied().unwrap_or_default() {
            let Line { at, task, container, message } = line;
            let task = task.get(..8).unwrap_or(task);
            text += &[&time(*at), " ", task, "/", &clean(container), "  ", &clean(message.trim_end()), "\n"].concat();
        }
    }
    *shown = now.into_iter().map(|(line, count)| (line.clone(), count)).collect();
    text
}

async fn read(view: &View, key: &Key, asked: &LogsArgs) -> Result<Found, Trouble> {
    view.reach().await?;
    let looks = view.glance().await?;
    let unknown = |why: String| Trouble::Unreachable(format!("{key}: {}", clean(&why)));
    let address = looks.iter().find_map(|looked| Some(looked.plan.entries.get(key)?.address.clone()));
    let address = address.ok_or_else(|| Trouble::no_such_object(&key.to_string(), select::objects(&view.loaded)))?;
    let found = looks.iter().find_map(|looked| looked.observation.services.at(&address));
    let Some((service, seen)) = found else { return Err(Trouble::NotThere(key.to_string())) };
    match seen {
        Seen::Present(state) => of_service(view, key, &address.scope, service, state, asked).await,
        Seen::Absent => Err(Trouble::NotThere(key.to_string())),
        Seen::Unknown(why) => Err(unknown(why.to_string())),
    }
}

async fn of_service(
    view: &View,
    key: &Key,
    scope: &Scope,
    service: &ServiceRef,
    state: &ServiceState,
    asked: &LogsArgs,
) -> Result<Found, Trouble> {
    let environment = view.environments().iter().find(|environment| environment.name == key.environment);
    let role = environment.and_then(|environment| environment.role.as_ref());
    let port = |scope: &Scope| view.controller.governor().containers(scope, role, Priority::Status);
    let here = port(scope);
    let wanted: &[TasksWanted] =
        if asked.stopped { &[TasksWanted::Running, TasksWanted::Stopped] } else { &[TasksWanted::Running] };
    let mut arns = Vec::new();
    for wanted in wanted {
        arns.extend(all("ListTasks", |page| here.list_tasks(service, *wanted, page)).await.map_err(Trouble::Port)?);
    }
    let mut tasks = Vec::new();
    for some in arns.chunks(100) {
        tasks.extend(here.tasks(state.cluster.as_str(), some).await.map_err(Trouble::Port)?);
    }
    let (mut found, mut definitions) = (Found::default(), BTreeMap::new());
    for task in &tasks {
        let name = task.task_definition.as_str();
        if !definitions.contains_key(name) {
            definitions.insert(name, here.task_definition(name).await.map_err(Trouble::Port)?);
        }
        let containers = definitions.get(name).into_iter().flatten().flat_map(|definition| &definition.containers);
        for container in containers.filter(|one| asked.container.as_ref().is_none_or(|name| one.name == *name)) {
            let log = container.log.as_ref();
            let Some((log, stream)) = log.and_then(|log| Some((log, log.stream(&container.name, &task.arn)?))) else {
                found.unread.insert(format!(
                    "container {} has no log driver `awslogs` with a stream prefix: its lines cannot be read",
                    clean(&container.name)
                ));
                continue;
            };
            let elsewhere = log.region.as_ref().and_then(|region| region.parse().ok());
            let elsewhere = elsewhere.map(|region| Scope { account: scope.account.clone(), region });
            let lines = port(elsewhere.as_ref().unwrap_or(scope)).log_lines(&stream, asked.limit).await;
            let lines = lines.map_err(Trouble::Port)?.unwrap_or_default().into_iter().map(|line| Line {
                at: line.at,
                task: task.arn.id().to_owned(),
                container: container.name.clone(),
                message: line.message,
            });
            found.lines.extend(lines);
        }
    }
    found.lines.sort_by_key(|line| line.at);
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    if !asked.follow && found.lines.len() > limit {
        found.lines.drain(..found.lines.len() - limit);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_once_however_often_it_is_read() {
        let line = |seconds: i64, message: &str| Line {
            at: Timestamp::from_second(seconds).unwrap(),
            task: "0123456789abcdef".to_owned(),
            container: "api".to_owned(),
            message: message.to_owned(),
        };
        let mut shown = BTreeMap::new();
        let first = [line(0, "a"), line(1, "b\n"), line(1, "b\n")];
        assert_eq!(
            news(&first, &mut shown),
            "1970-01-01T00:00:00Z 01234567/api  a\n1970-01-01T00:00:01Z 01234567/api  b\n".to_owned()
                + "1970-01-01T00:00:01Z 01234567/api  b\n"
        );
        assert_eq!(news(&first, &mut shown), "");
        let second = [line(1, "b\n"), line(1, "b\n"), line(1, "b\n"), line(2, "\u{1b}[31mc")];
        let text = news(&second, &mut shown);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
