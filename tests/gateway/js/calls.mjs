// What the official JavaScript client sees; prints one line of JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello there" }];
const found = {};

const whole = await client.chat.completions.create({ model: "main", messages });
found.whole = whole.choices[0].message.content;
found.finish = whole.choices[0].finish_reason;
found.total = whole.usage.total_tokens;

let text = "";
let usage = null;
const stream = await client.chat.completions.create({
  model: "main", messages, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
found.streamed = text;
found.usage = usage.completion_tokens > 0;

const runner = client.chat.completions.stream({ model: "main", messages });
found.helper = (await runner.finalChatCompletion()).choices[0].message.content;

const several = await client.chat.completions.create({ model: "main", messages, n: 2 });
found.several = several.choices.map((choice) => choice.message.content);

found.models = [];
for await (const model of client.models.list()) found.models.push(model.id);
found.model = (await client.models.retrieve("two:auto")).owned_by;

const { response } = await client.chat.completions.create({ model: "pair", messages }).withResponse();
found.route = response.headers.get("x-botyard-route");

async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}
found.unknown = await failure(() => client.chat.completions.create({ model: "mian", messages }));
found.bad = await failure(() => client.chat.completions.create({ model: "main", messages, n: 99 }));
found.unauthorized = await failure(() =>
  new OpenAI({ baseURL: process.env.BASE, apiKey: "sk-wrong" }).models.list());

const left = await client.chat.completions.create({ model: "slow", messages, stream: true });
for await (const _ of left) break; // leaving the loop closes the connection
found.left = true;

process.stdout.write(JSON.stringify(found) + "\n");
