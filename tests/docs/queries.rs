//! The API page whole: its lines, then its queries over what they stored.

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    gateway::{ME, TestGateway},
    lines::assert_as_said,
    page::Page,
    shell::Transcript,
};

/// The queries for one database, with the ids of the page's lines filled in.
fn queries(page: &Page, database: &str, transcript: &Transcript) -> Vec<String> {
    let mark = format!("-- {database}\n");
    let mut blocks = page.blocks("sql").into_iter().map(|(_, block)| block);
    let block = blocks.find(|block| block.starts_with(&mark)).expect("the page has its queries");
    let block = block
        .replace("'THREAD'", &format!("'{}'", transcript.variable("THREAD")))
        .replace("'RUN'", &format!("'{}'", transcript.variable("RUN")))
        .replace("'ME'", &format!("'{ME}'"));
    block.split_inclusive(";").map(str::to_owned).filter(|query| query.contains("SELECT")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_and_queries_of_the_api_page_give_what_it_says_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let gateway = TestGateway::start(&format!("sqlite://{}", file.display())).await;
    let page = Page::read("docs/api.md");
    let steps = page.steps();

    let transcript = Transcript::of(&steps, &gateway.environment()).await;

    assert_as_said(&page, &steps, &transcript);
    // While the gateway runs, as the page says.
    let options = SqliteConnectOptions::new().filename(&file).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    for query in queries(&page, "SQLite", &transcript) {
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(query.clone())).fetch_all(&mut database).await;
        assert!(!rows.unwrap_or_else(|error| panic!("{query}\n{error}")).is_empty(), "{query}");
    }
    database.close().await.unwrap();
    gateway.stop().await;
}
