// A handler of wasi:http in JavaScript: counts the words of what is posted, and sends a line for each when asked to.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  const counts = new Map();
  for (const word of (await request.text()).toLowerCase().match(/[a-z]+/g) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (url.searchParams.has("lines")) {
    return new Response(lines(sorted), { headers: { "content-type": "text/plain" } });
  }
  return Response.json(Object.fromEntries(sorted));
}

// One piece of the body for each word.
function lines(sorted) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      const next = sorted.shift();
      if (next === undefined) controller.close();
      else controller.enqueue(encoder.encode(`${next[1]} ${next[0]}\n`));
    },
  });
}
