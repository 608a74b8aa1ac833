// A Spin application in JavaScript: counts the visits of each page in a key-value store.
import { Store } from "fermyon:spin/key-value@2.0.0";

addEventListener("fetch", (event) => event.respondWith(count(event.request)));

async function count(request) {
  const page = request.headers.get("spin-path-match-page");
  const store = Store.open("default");
  const before = store.get(page);
  const visits = (before ? Number(new TextDecoder().decode(before)) : 0) + 1;
  store.set(page, new TextEncoder().encode(String(visits)));
  const sent = await request.text();
  const answer = { page, visits, ...(sent ? { sent } : {}) };
  return new Response(JSON.stringify(answer) + "\n", { headers: { "content-type": "application/json" } });
}
