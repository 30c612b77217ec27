#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// A bot: an account that answers each message to it, and in groups each message that mentions it. It accepts all friend
// requests. After a restart it answers what came meanwhile, and nothing twice: the id of an answer is made of the
// message's.
//
//    TIDINGS_URL=https://chat.example.org BOT_USER=echo BOT_PASSWORD=... node contrib/examples/echo_bot.mjs
import {createRequire} from 'node:module';
import {LoginStore, TidingsClient} from '../client/src/index.js';

const {TIDINGS_URL: url = 'http://127.0.0.1:8080', BOT_USER: user_id = 'echo', BOT_PASSWORD: password} = process.env;

const kept = new Map();
const storage = {getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key)};
// Node.js has one of its own from 22 on.
const WebSocket = globalThis.WebSocket ?? createRequire(import.meta.url)('ws');
const client = new TidingsClient({url, loginStore: new LoginStore(storage), WebSocket});

// What it says to a text. Yours goes here.
const reply = ({content}) => content;

// A reply is never answered, so that two bots do not talk for ever.
const concerns = (m) => m.from_user_id !== user_id && m.message_type === 'text' && m.reply_to === null && !m.is_recalled &&
    (m.to_user_id === user_id || m.mentions.includes(user_id));

function take(m) {
    if (concerns(m))
        client.send({conversation_id: m.conversation_id, content: reply(m), reply_to: m.id, client_msg_id: `echo-${m.id}`});
    if (m.from_user_id !== user_id)
        client.markRead(m.conversation_id, m.seq);
}

// All items of a list, page by page.
async function* all(list) {
    for (let cursor; cursor !== null;) {
        const page = await list({cursor});
        yield* page.items;
        cursor = page.next_cursor;
    }
}

async function catchUp() {
    for await (const {user} of all((page) => client.rest.friendRequests(page)))
        await client.rest.acceptFriend(user.user_id).catch(console.error); // it may have been withdrawn
    for await (const c of all((page) => client.rest.conversations(page))) {
        for (let after = c.read_seq, more = c.unread_count > 0; more;) {
            const {items, has_more} = await client.rest.history(c.id, {after, limit: 100});
            items.forEach(take);
            more = has_more;
            after = items.at(-1)?.seq;
        }
    }
}

client.on('message', take);
client.on('notification', ({kind, actor}) => kind === 'friend_request' && client.rest.acceptFriend(actor.user_id).catch(console.error));
client.on('refused', ({draft, problem}) => console.error(`${draft.client_msg_id}: ${problem.code}`));
client.on('ended', ({reason}) => {
    console.error(`the login has ended: ${reason}`);
    process.exit(1);
});
process.on('SIGTERM', () => client.logout().finally(() => process.exit(0)));

await client.login({user_id, password, device: 'echo bot'});
client.connect();
await client.ready();
await catchUp();
console.log(`${user_id} is there`);
