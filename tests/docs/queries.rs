//! The API page whole: its lines, then its queries over what they stored.

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions,
};
use uuid::Uuid;

use super::{
    gateway::{ME, TestGateway},
    lines::assert_as_said,
    page::Page,
    shell::Transcript,
};

/// Runs the page's lines on a database; answers its queries, which the caller runs there while the
/// gateway lives, as the page says.
async fn run_lines(gateway: &TestGateway, database: &str) -> Vec<String> {
    let page = Page::read("docs/api.md");
    let steps = page.steps();

    let transcript = Transcript::of(&steps, &gateway.environment()).await;

    assert_as_said(&page, &steps, &transcript);
    queries(&page, database, &transcript)
}

/// The queries for one database, with the ids of the page's lines filled in.
fn queries(page: &Page, database: &str, transcript: &Transcript) -> Vec<String> {
    let mark = format!("-- {database}\n");
    let mut blocks = page.blocks("sql").into_iter().map(|(_, block)| block);
    let block = blocks.find(|block| block.starts_with(&mark)).expect("the page has its queries");
    let block = block
        .replace("'THREAD'", &format!("'{}'", transcript.variable("THREAD")))
        .replace("'RUN'", &format!("'{}'", transcript.variable("RUN")))
        .replace("'ME'", &format!("'{ME}'"));
    block.split_inclusive(';').map(str::to_owned).filter(|query| query.contains("SELECT")).collect()
}

/// Runs queries one by one; each must find something.
macro_rules! assert_each_finds_rows {
    ($queries:expr, $connection:expr) => {
        for query in $queries {
            let rows = sqlx::raw_sql(AssertSqlSafe(query.clone())).fetch_all($connection).await;
            let rows = rows.unwrap_or_else(|error| panic!("{query}\n{error}"));
            assert!(!rows.is_empty(), "no rows:{query}");
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_and_queries_of_the_api_page_give_what_it_says_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let gateway = TestGateway::start(&format!("sqlite://{}", file.display())).await;

    let queries = run_lines(&gateway, "SQLite").await;

    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    assert_each_finds_rows!(queries, &mut database);
    database.close().await.unwrap();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL"]
async fn the_lines_and_queries_of_the_api_page_give_what_it_says_on_postgres() {
    let url = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL names a database");
    let schema = format!("docs_{}", Uuid::now_v7().simple());
    let mut database = PgConnection::connect(&url).await.unwrap();
    let prepare = format!("CREATE SCHEMA {schema}; SET search_path TO {schema}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut database).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let of_schema = format!("{url}{separator}options[search_path]={schema}");
    let gateway = TestGateway::start(&of_schema).await;

    let queries = run_lines(&gateway, "PostgreSQL").await;

    assert_each_finds_rows!(queries, &mut database);
    gateway.stop().await;
    let clean_up = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(AssertSqlSafe(clean_up)).execute(&mut database).await.unwrap();
}
