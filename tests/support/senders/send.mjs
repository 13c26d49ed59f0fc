// Sends a signed delivery as a Node program does: node send.mjs URL SECRET HOW, the payload on standard input.
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const [url, secret, how] = process.argv.slice(2);
const delivery = {
  id: randomUUID(),
  account_id: 1,
  event_name: "workshop_order.updated",
  event_timestamp: Date.now() / 1000,
  payload: JSON.parse(readFileSync(0, "utf8")),
};
const body = how === "unescaped" ? JSON.stringify(delivery, null, 2) : JSON.stringify(delivery);
const hmac = createHmac("sha256", how === "forged" ? `${secret}x` : secret).update(body);
const digest = hmac.digest(how === "base64" ? "base64" : "hex");
const response = await fetch(url, {
  method: "POST",
  body,
  headers: {
    "Content-Type": "application/json",
    "X-CycleSoftware-Delivery": delivery.id,
    "X-CycleSoftware-Event": delivery.event_name,
    "X-CycleSoftware-Signature": how === "prefix" ? `sha256=${digest}` : digest,
  },
});
console.log(response.status);
