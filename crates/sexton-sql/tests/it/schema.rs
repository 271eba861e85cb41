//! The tables as the migrations leave them.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::place::Place;

#[tokio::test]
async fn the_migrated_schema_is_the_one_on_record() {
    let place = Place::new();
    place.open().await.close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(place.path());
    let mut connection = options.connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    insta::assert_snapshot!(tables.join(";\n\n"));
}
