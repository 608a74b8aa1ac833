// The same line from node: `node hello.js PORT`.
const http = require("node:http");

http
  .createServer((request, response) => {
    const query = request.url.split("?")[1] ?? "";
    const body = `hello ${query}\n`;
    response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
