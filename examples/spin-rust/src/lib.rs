//! Short links, kept in a key-value store: whoever has the token may set and delete them, and everybody follow them.

use spin_sdk::http::{IntoResponse, Params, Request, Response, Router};
use spin_sdk::key_value::Store;
use spin_sdk::{http_component, variables};

#[http_component]
fn handle(request: Request) -> anyhow::Result<impl IntoResponse> {
    let mut router = Router::default();
    router.get("/", list);
    router.get("/:name", follow);
    router.put("/:name", set);
    router.delete("/:name", delete);
    Ok(router.handle(request))
}

fn list(_: Request, _: Params) -> anyhow::Result<Response> {
    let store = Store::open_default()?;
    let mut names = store.get_keys()?;
    names.sort();
    let mut page = String::new();
    for name in names {
        let target = store.get(&name)?.unwrap_or_default();
        page += &format!("{name} {}\n", String::from_utf8_lossy(&target));
    }
    Ok(text(200, page))
}

fn follow(_: Request, parameters: Params) -> anyhow::Result<Response> {
    Ok(match Store::open_default()?.get(name(&parameters))? {
        Some(target) => Response::builder().status(302).header("location", String::from_utf8(target)?).build(),
        None => text(404, "no such link\n"),
    })
}

fn set(request: Request, parameters: Params) -> anyhow::Result<Response> {
    if !allowed(&request)? {
        return Ok(text(403, "wrong token\n"));
    }
    let target = str::from_utf8(request.body()).unwrap_or_default().trim();
    if !target.starts_with("https://") || target.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(text(400, "a link leads to https://...\n"));
    }
    Store::open_default()?.set(name(&parameters), target.as_bytes())?;
    Ok(text(201, format!("{} leads to {target}\n", name(&parameters))))
}

fn delete(request: Request, parameters: Params) -> anyhow::Result<Response> {
    if !allowed(&request)? {
        return Ok(text(403, "wrong token\n"));
    }
    Store::open_default()?.delete(name(&parameters))?;
    Ok(Response::new(204, ()))
}

fn allowed(request: &Request) -> anyhow::Result<bool> {
    let token = variables::get("token")?;
    Ok(request.header("token").and_then(|value| value.as_str()) == Some(&token))
}

fn name(parameters: &Params) -> &str {
    parameters.get("name").unwrap_or_default()
}

fn text(status: u16, body: impl Into<String>) -> Response {
    Response::builder().status(status).header("content-type", "text/plain").body(body.into()).build()
}
