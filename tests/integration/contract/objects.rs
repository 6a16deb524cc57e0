//! Objects in buckets.

use super::{Backend, FENCE, all};

const HTML: &str = "text/html; charset=utf-8";

pub async fn what_is_written_is_listed_at_once_and_by_how_it_begins(backend: &Backend) {
    let objects = backend.cloud.objects(&backend.scope(), None);
    for key in ["reports/dev/b", "reports/dev/a", "reports/prod/a", "reports-not"] {
        objects.put(FENCE, &backend.bucket, key, HTML, "one").await.unwrap();
    }
    objects.put(FENCE, &backend.bucket, "reports/dev/a", HTML, "another").await.unwrap();
    let keys = all(|page| objects.keys(&backend.bucket, "reports/dev/", page)).await;
    assert_eq!(keys, ["reports/dev/a", "reports/dev/b"]);
    for _ in 0..2 {
        objects.delete(FENCE, &backend.bucket, "reports/dev/a").await.unwrap();
    }
    let keys = all(|page| objects.keys(&backend.bucket, "reports/", page)).await;
    assert_eq!(keys, ["reports/dev/b", "reports/prod/a"]);
}

pub async fn a_list_has_every_object_once_however_many_pages_it_takes(backend: &Backend) {
    const COUNT: usize = 1_005;
    let objects = backend.cloud.objects(&backend.scope(), None);
    let mut wanted = Vec::new();
    for number in 0..COUNT {
        let key = format!("many/{number:04}");
        objects.put(FENCE, &backend.bucket, &key, HTML, "x").await.unwrap();
        wanted.push(key);
    }
    let first = objects.keys(&backend.bucket, "many/", None).await.unwrap();
    assert!(first.next.is_some() && first.items.len() < COUNT, "one page has {}", first.items.len());
    assert_eq!(all(|page| objects.keys(&backend.bucket, "many/", page)).await, wanted);
}

pub async fn what_is_written_is_read_until_it_is_deleted(backend: &Backend) {
    let (objects, bucket) = (backend.cloud.objects(&backend.scope(), None), &backend.bucket);
    let key = "landfast/settings/dev/tables/people/one.json";
    assert_eq!(objects.get(bucket, key).await.unwrap(), None);
    for body in ["{\"a\": \"ä\"}", "{}"] {
        objects.put(FENCE, bucket, key, "application/json", body).await.unwrap();
        assert_eq!(objects.get(bucket, key).await.unwrap().as_deref(), Some(body));
    }
    objects.delete(FENCE, bucket, key).await.unwrap();
    assert_eq!(objects.get(bucket, key).await.unwrap(), None);
}

pub async fn a_bucket_that_is_not_there_is_said_to_be_missing(backend: &Backend) {
    let objects = backend.cloud.objects(&backend.scope(), None);
    assert_eq!(objects.key(&backend.bucket).await.unwrap(), None, "nobody has given the bucket a key");
    let error = objects.keys("no-such-bucket-anywhere", "", None).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("NoSuchBucket"), "{error}");
    // That says nothing of an object.
    let error = objects.get("no-such-bucket-anywhere", "a").await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("NoSuchBucket"), "{error}");
    let error = objects.put(FENCE, "no-such-bucket-anywhere", "a", HTML, "").await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("NoSuchBucket"), "{error}");
}
