// A client of another language: reads all orders page by page, changes one, and meets an error.
// Arguments: the base URL. Prints JSON.

const base = process.argv[2];
const headers = {
  Authorization: `Basic ${Buffer.from("user:pass").toString("base64")}`,
  "Content-Type": "application/json",
};

async function call(method, url, body) {
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  return [answer.status, await answer.json()];
}

const orders = [];
let next = `${base}/api/v1/workshop/orders.json`;
while (next) {
  const [, page] = await call("GET", next);
  orders.push(...page.data);
  const url = page.pagination.next_url && new URL(page.pagination.next_url);
  // The server names another host: only its path and query count.
  next = url && `${base}${url.pathname}${url.search}`;
}
const [first] = orders;
const path = `/api/v1/customers/${first.customer_id}/workshop-order/${first.workshop_order_id}.json`;
const [, changed] = await call("PUT", base + path, { status_id: 7 });
const [status, refusal] = await call("GET", `${base}/api/v1/customers/999999999.json`);
console.log(
  JSON.stringify({ orders: orders.length, status_id: changed.status_id, refusal: status, error: refusal.error }),
);
