//! A CSV table comes back as JSON, one object a line, while it is read.

mod convert;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wstd::http::body::util::combinators::UnsyncBoxBody;
use wstd::http::body::{Body, Bytes, Frame, HttpBody};
use wstd::http::{Error, Method, Request, Response, StatusCode};

use convert::Converter;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    if request.method() != Method::POST {
        let answer = Response::builder().header("content-type", "text/plain").header("allow", "POST");
        return Ok(answer.status(StatusCode::METHOD_NOT_ALLOWED).body("POST a table in CSV\n".into())?);
    }
    let table = request.into_body().into_boxed_body();
    let lines = Lines { table, converter: Converter::new(), ended: false };
    Ok(Response::builder().header("content-type", "application/x-ndjson").body(Body::from_http_body(lines))?)
}

/// The answer's body: asked for its next piece, it takes pieces of the request's until there is a line.
struct Lines {
    table: UnsyncBoxBody<Bytes, Error>,
    converter: Converter,
    ended: bool,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut lines = Vec::new();
        while lines.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.table).poll_frame(context)).transpose()? {
                // What is no data is trailers, which say nothing of the table.
                Some(frame) => self.converter.feed(&frame.into_data().unwrap_or_default(), &mut lines),
                None => {
                    self.converter.finish(&mut lines);
                    self.ended = true;
                }
            }
        }
        Poll::Ready((!lines.is_empty()).then(|| Ok(Frame::data(lines.into()))))
    }
}
