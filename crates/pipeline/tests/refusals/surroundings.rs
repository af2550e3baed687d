//! Services, health, hooks, verification.

use super::with;

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let told = with(text);
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
}

#[test]
fn health_asks_one_question_at_a_time_and_https_is_left_to_a_program() {
    says(
        "services: { health: [ { http: \"https://h/readyz\" } ] }",
        &["E260", "https is not asked for here", "run: [curl, -fsS, https://h/readyz]"],
    );
    says("services: { health: [ { http: \"web:8080\" } ] }", &["E260", "not an http:// address"]);
    says("services: { health: [ { http: \"http://h/\", sql: select true } ] }", &["exactly one question"]);
    says("services: { health: [ { within: 5s } ] }", &["5:33", "exactly one question"]);
    says("services: { health: [ { run: [a], expect: \"> 1\" } ] }", &["`expect` is for sql"]);
    says("services: { health: [ { sql: select 1, expect: \"> many\" } ] }", &["`many` is not a number"]);
}

#[test]
fn words_and_times_of_services_have_their_bounds() {
    says("services: { after_failed_gate: restart }", &["E260", "`restart` is not allowed"]);
    says("services: { quiesced: { roles: [] } }", &["`roles` is empty"]);
    says("services: { quiesced: { within: 5s } }", &["`roles` is missing"]);
    says(
        "services: { quiesced: { roles: [a], within: 2h, idle: skip } }",
        &["2h is too long", "`skip` is not allowed"],
    );
}

#[test]
fn hooks_and_verifications_have_names_of_their_own_and_environments_that_exist() {
    let hook = "{ name: a, run: [x] }";
    says(
        &format!("hooks: {{ before_deploy: [ {hook}, {hook} ] }}"),
        &["two hooks of before_deploy are called `a`"],
    );
    says(
        "hooks: { before_deploy: [ { name: a, run: [x], only: [dve] } ] }",
        &["E263", "did you mean `dev`?"],
    );
    says("hooks: { before_deploy: [ { run: [x] } ] }", &["`name` is missing"]);
    says("hooks: { before: [] }", &["unknown key `before`"]);
    says("verify: [ { name: a } ]", &["`a` asks exactly one question"]);
    says("verify: [ { name: a, sql: \" \" } ]", &["the query is empty"]);
    says("verify: [ { name: a, sql: select 1, only: [prod] } ]", &["there is no environment `prod`"]);
}

#[test]
fn references_in_queries_and_in_what_they_are_called_are_refused_at_their_place() {
    let unresolved = |reference: &str| [format!("`{reference}` is not resolved here"), "E268".to_owned()];
    for (text, place, reference) in [
        ("verify: [ { name: a, sql: \"select true from ${SCHEMA}.users\" } ]", "${SCHEMA}", "${SCHEMA}"),
        ("verify: [ { name: \"a ${SCHEMA:-x}\", sql: select true } ]", "${SCHEMA:-x}", "${SCHEMA:-x}"),
        ("verify: [ { name: a, sql: select 1, expect: \"= ${ONE}\" } ]", "${ONE}", "${ONE}"),
        ("services: { health: [ { sql: \"select '${A}'\" } ] }", "${A}", "${A}"),
        ("verify: [ { name: a, sql: \"select true from app_${A}\" } ]", "${A}", "${A}"),
        ("verify: [ { name: \"a ${X}\", run: [x] } ]", "${X}", "${X}"),
    ] {
        let [message, code] = unresolved(reference);
        says(text, &[&message, &code, &format!(":5:{}:", text.find(place).unwrap() + 1)]);
    }
    // What SQL itself means by a dollar sign stays.
    super::accepts(
        "verify: [ { name: \"$1 {x}\", sql: \"select $${a}$$ = 'a' and $q${b}$q$ > '${' and '${1}'\" } ]",
    );
}
