//! What is limited in a minute is limited at all instances together.

use reqwest::StatusCode;

use super::two_instances_with;
use crate::support::{client::Client, redis::shared_redis};

const PER_MINUTE: &str = "600";
/// Of those, what an instance may admit before it has heard of the other.
const UNHEARD: usize = 400;

/// How often a user may ask before a refusal, and at most so often.
async fn admitted(client: &Client, most: usize) -> usize {
    for number in 0..most {
        let answer = client.get("/api/chatkit/runs/unknown").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            return number;
        }
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    most
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL and TEST_REDIS_URL"]
async fn who_has_used_up_a_limit_is_soon_refused_by_the_other_instance() {
    let vars = [("CHATKIT_REQUESTS_PER_MINUTE", PER_MINUTE)];
    let servers = two_instances_with(&shared_redis(), &vars).await;
    // A user of her own: the Redis is that of all tests.
    let user = format!("limited-{}", uuid::Uuid::now_v7());
    let (here, there) = (servers.0.user(&user), servers.1.user(&user));

    assert!((600..5_000).contains(&admitted(&here, 5_000).await));
    let beyond = admitted(&there, UNHEARD).await;

    assert!(beyond < UNHEARD, "{beyond} more at the other instance");
    servers.0.stop().await;
    servers.1.stop().await;
}
