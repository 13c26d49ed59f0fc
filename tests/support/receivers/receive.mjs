// A receiver: verifies the signature and appends the event to a file.
import { createHmac, timingSafeEqual } from "node:crypto";
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const expected = createHmac("sha256", process.env.SECRET).update(body).digest();
  const given = Buffer.from(request.headers["x-cyclesoftware-signature"] ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    response.writeHead(401).end();
    return;
  }
  const event = JSON.parse(body);
  appendFileSync(process.env.FOUND, JSON.stringify({
    event_name: event.event_name,
    header: request.headers["x-cyclesoftware-event"],
    status_id: event.payload.status_id ?? null,
    customer: event.payload.sales_order?.customer?.name ?? null,
  }) + "\n");
  response.writeHead(204).end();
}).listen(Number(process.env.PORT), "127.0.0.1");
