//! Accounts, regions, pages.

use landfast::model::Scope;

use super::{Backend, FENCE, all, create};

pub async fn regions_and_accounts_do_not_see_each_other(backend: &Backend) {
    let here = backend.region("us-east-1");
    let there = backend.region("eu-central-1");
    let first = backend.created(&*here, create("same")).await;
    assert_eq!(there.describe(&first.name).await.unwrap(), None);
    let second = backend.created(&*there, create("same")).await;
    assert_ne!(first.id, second.id);
    assert!(second.id.as_str().contains(":eu-central-1:") && first.id.as_str().contains(backend.account.as_str()));
    assert_eq!(all(|page| here.list(page)).await.len(), 1);
    let scope = Scope { account: "999988887777".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let role = landfast::model::AssumeRole {
        arn: "arn:aws:iam::999988887777:role/landfast".parse().unwrap(),
        external_id: None,
        session_name: "landfast-contract".to_owned(),
    };
    let elsewhere = backend.cloud.stacks(&scope, Some(&role));
    assert_eq!(elsewhere.caller().await.unwrap(), scope.account);
    assert_eq!(elsewhere.describe(&first.name).await.unwrap(), None);
}

pub async fn a_list_has_every_stack_once_however_many_pages_it_takes(backend: &Backend) {
    const COUNT: usize = 130;
    let stacks = backend.stacks();
    let mut wanted = Vec::new();
    for number in 0..COUNT {
        wanted.push(stacks.create(FENCE, create(&format!("many-{number:03}"))).await.unwrap());
    }
    let first = stacks.list(None).await.unwrap();
    assert!(first.next.is_some() && first.items.len() < COUNT, "one page has {}", first.items.len());
    let mut listed: Vec<_> = all(|page| stacks.list(page)).await.into_iter().map(|stack| stack.id).collect();
    listed.sort();
    wanted.sort();
    assert_eq!(listed, wanted);
}
