// SPDX-License-Identifier: BSD-2-Clause
// What the tests share: the server under test, which t/71-client.t starts and does things to on request; clients that
// note what they are told; and a wire between them that can be cut.
import assert from 'node:assert/strict';
import net from 'node:net';
import {TidingsClient} from '../src/index.js';
import {WebSocket, observed} from './witness.js';

export {WebSocket};

export const url = process.env.TIDINGS_URL && await observed(process.env.TIDINGS_URL);
// For test(): without a server there is nothing to test.
export const needsServer = {skip: url ? false : 'TIDINGS_URL is not set; run t/71-client.t', timeout: 300000};

const PATIENCE_MS = 30000 * Number(process.env.TIDINGS_PATIENCE || 1);

// Resolves to the first true value of the condition, which may be a promise's.
export async function until(what, condition) {
    let timer;
    const tooLate = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new assert.AssertionError({message: `gave up waiting for ${what}`})), PATIENCE_MS);
    });
    try {
        for (;;) {
            const got = await Promise.race([condition(), tooLate]);
            if (got)
                return got;
            await Promise.race([new Promise((resolve) => setTimeout(resolve, 5)), tooLate]);
        }
    } finally {
        clearTimeout(timer);
    }
}

// ---- the other side: one line of JSON asks, one answers ----

let control = null;

function openControl() {
    const socket = net.connect(process.env.TIDINGS_CONTROL);
    const waiting = [];
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (data) => {
        const lines = (text + data).split('\n');
        text = lines.pop();
        for (const line of lines) {
            const {resolve, reject} = waiting.shift();
            const {ok, error} = JSON.parse(line);
            if (waiting.length === 0)
                socket.unref();
            if (error === undefined)
                resolve(ok);
            else
                reject(new Error(error));
        }
    });
    socket.on('close', () => process.exit(1)); // whoever started us is gone
    return {socket, waiting};
}

// ask('befriend', 'alice', 'bob'): see the actions in t/71-client.t.
export function ask(what, ...args) {
    control ??= openControl();
    control.socket.ref();
    return new Promise((resolve, reject) => {
        control.waiting.push({resolve, reject});
        control.socket.write(`${JSON.stringify([what, ...args])}\n`);
    });
}

// ---- people ----

let people = 0;

// Friends of one another whom no other test knows.
export async function friends(...names) {
    people++;
    const users = names.map((name) => `${name}-${people}-${process.pid}`);
    await ask('befriend', ...users);
    return users;
}

const opened = new Set();

// A client that connects with valid tokens; its `seen` has everything it was told, by name of event.
export async function open(user, options = {}) {
    const client = new TidingsClient({
        url, WebSocket, getToken: () => ask('token', user), backoff: {baseMs: 20, maxMs: 500}, ...options,
    });
    const seen = {};
    for (const name of ['state', 'synced', 'conversation', 'left', 'message', 'ack', 'refused', 'recalled', 'deleted', 'edited', 'reaction', 'pinned', 'updated',
        'read', 'delivered', 'typing', 'presence', 'notification', 'kicked', 'ended', 'error', 'queued']) {
        seen[name] = [];
        client.on(name, (event) => seen[name].push(event));
    }
    client.seen = seen;
    opened.add(client);
    if (options.connect !== false) {
        client.connect();
        await client.ready();
    }
    return client;
}

// At the end of each test.
export async function closeAll() {
    await Promise.all([...opened].map((client) => client.close()));
    opened.clear();
}

export const contents = (client) => client.seen.message.map((m) => m.content);
export const states = (client) => client.seen.state.map((s) => s.state);

// Waits until the client was told so many messages, and holds that each came once and in order.
export async function told(client, count) {
    await until(`${count} messages`, () => client.seen.message.length >= count);
    inOrder(client);
    assert.equal(client.seen.message.length, count);
    return contents(client);
}

export function inOrder(client) {
    const last = new Map();
    for (const {conversation_id, seq} of client.seen.message) {
        assert.ok(seq > (last.get(conversation_id) ?? 0), `seq ${seq} comes after ${last.get(conversation_id)}`);
        last.set(conversation_id, seq);
    }
}

// The truth: all of a conversation, as this user may see it.
export async function history(client, conversationId) {
    const all = [];
    for (;;) {
        const {items, has_more} = await client.rest.history(conversationId, {after: all.at(-1)?.seq ?? 0, limit: 100});
        all.push(...items);
        if (!has_more)
            return all;
    }
}

// ---- the wire: a TCP proxy ----

export class Wire {
    connections = 0; // WebSockets so far
    #pairs = new Set();
    #server;
    #cutAfter = null;

    static async open() {
        const wire = new Wire();
        wire.#server = net.createServer((near) => wire.#join(near));
        await new Promise((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
        wire.url = `http://127.0.0.1:${wire.#server.address().port}`;
        return wire;
    }

    #join(near) {
        const {hostname, port} = new URL(url);
        const far = net.connect(port, hostname);
        const pair = {near, far, isWebSocket: false};
        this.#pairs.add(pair);
        near.on('data', (data) => {
            // Not necessarily the first request of its connection.
            if (data.subarray(0, 32).toString().startsWith('GET /messages/ws')) {
                pair.isWebSocket = true;
                this.connections++;
            }
            far.write(data);
        });
        far.on('data', (data) => this.#back(pair, data));
        for (const socket of [near, far]) {
            socket.on('error', () => {});
            socket.on('close', () => {
                this.#pairs.delete(pair);
                near.destroy();
                far.destroy();
            });
        }
    }

    #back(pair, data) {
        if (!pair.isWebSocket || this.#cutAfter === null || data.length <= this.#cutAfter) {
            pair.near.write(data);
            return;
        }
        pair.near.write(data.subarray(0, this.#cutAfter), () => pair.near.destroy());
        this.#cutAfter = null;
    }

    // The next bunch of bytes to a WebSocket with more than so many breaks off after so many.
    cutAfter(bytes) {
        this.#cutAfter = bytes;
    }

    get isCut() {
        return this.#cutAfter === null;
    }

    // The WebSockets of now neither carry anything any more nor end, until speak().
    silence() {
        this.#eachWebSocket((socket) => socket.pause());
    }

    speak() {
        this.#eachWebSocket((socket) => socket.resume());
    }

    #eachWebSocket(act) {
        for (const {near, far, isWebSocket} of this.#pairs) {
            if (isWebSocket)
                [near, far].forEach(act);
        }
    }

    close() {
        this.#server.close();
        for (const {near} of this.#pairs)
            near.destroy();
    }
}

// A WebSocket class whose messages pass `filter(frame)` or are lost.
export function lossy(filter) {
    return class extends WebSocket {
        set onmessage(handler) {
            super.onmessage = (event) => {
                if (filter(JSON.parse(event.data)))
                    handler(event);
            };
        }
    };
}

// Like localStorage, with methods that take their time.
export class SlowStorage {
    values = new Map();

    async getItem(key) {
        await new Promise(setImmediate);
        return this.values.get(key) ?? null;
    }

    async setItem(key, value) {
        await new Promise(setImmediate);
        this.values.set(key, value);
    }
}
