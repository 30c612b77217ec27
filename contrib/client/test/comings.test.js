// SPDX-License-Identifier: BSD-2-Clause
// Proves that a client is told the right messages of a group, once and in order, while the user joins and leaves it and
// answers, events and connections are delayed or lost: a whole client against a simulated server with one group, at random.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {CatchUp} from '../src/catch_up.js';
import {Ledger} from '../src/ledger.js';
import {TidingsClient} from '../src/index.js';

const ID = '17179869190';
const ROUNDS = Number(process.env.TIDINGS_ROUNDS || 100);
const TOGETHER = 20;
const SLOW = 30; // turns of the loop that an answer may take
const STEPS = 60;
const FEW = 3; // messages in an answer, so that there is often more

// A generator of its own, so that a round that fails can be run again.
function randomOf(seed) {
    let state = seed;
    return (n) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * n);
    };
}

class World {
    messages = [];
    member = null; // {joinedSeq, firstSeq}
    readSeq = 0;
    activity = 0;
    leavings = 0;
    busy = 0; // answers and events on their way
    sockets = new Set();

    constructor(random) {
        this.random = random;
        const world = this;
        this.WebSocket = class {
            queue = [];
            isOpen = true;
            isSubscribed = false;

            constructor() {
                world.later(() => {
                    world.sockets.add(this);
                    this.isSubscribed = world.member !== null;
                    this.push({type: 'hello', user_id: 'me', session_id: 's', server_time: new Date().toISOString(), heartbeat_ms: 30000});
                });
            }

            push(frame) {
                const data = JSON.stringify(frame);
                if (this.queue.push(data) === 1)
                    this.#deliver();
            }

            async #deliver() {
                world.busy++;
                while (this.isOpen && this.queue.length > 0) {
                    await world.aWhile();
                    if (this.isOpen)
                        this.onmessage({data: this.queue[0]});
                    this.queue.shift();
                }
                world.busy--;
            }

            send() {}

            close() {
                this.cut();
            }

            cut() {
                if (!this.isOpen)
                    return;
                this.isOpen = false;
                world.sockets.delete(this);
                this.onclose({code: 1006, reason: ''});
            }
        };
    }

    async aWhile(most = 6) {
        for (let turns = this.random(most); turns >= 0; turns--)
            await new Promise(setImmediate);
    }

    async later(what) {
        this.busy++;
        await this.aWhile();
        what();
        this.busy--;
    }

    // ---- what happens ----

    append(more) {
        const seq = this.messages.length + 1;
        this.messages.push({id: `m${seq}`, conversation_id: ID, seq, from_user_id: 'bob', to_user_id: null, message_type: 'text',
            content: `${seq}`, is_recalled: false, mentions: [], ...more});
        this.activity++;
        return this.messages.at(-1);
    }

    tell(frame) {
        for (const socket of this.sockets) {
            if (socket.isSubscribed)
                socket.push(frame);
        }
    }

    say() {
        this.tell({type: 'message', message: this.append()});
    }

    rename() {
        this.tell({type: 'message', message: this.append({message_type: 'system', extra: {event: 'renamed', user_ids: []}})});
        if (this.member !== null)
            this.tell({type: 'conversation', conversation: this.conversation()});
    }

    add() {
        if (this.member !== null)
            return;
        const {seq} = this.append({message_type: 'system', extra: {event: 'added', user_ids: ['me']}});
        const member = {joinedSeq: seq, firstSeq: this.random(2) ? 1 : seq, joinedAt: `T${seq}`};
        this.member = member;
        this.readSeq = seq;
        for (const socket of this.sockets) {
            // The topic of the group is subscribed to first.
            this.later(() => {
                if (this.member !== member)
                    return;
                socket.isSubscribed = true;
                this.later(() => socket.isSubscribed && this.member === member &&
                    socket.push({type: 'conversation', conversation: this.conversation()}));
            });
        }
    }

    remove() {
        if (this.member === null)
            return;
        this.member = null;
        this.leavings++;
        this.append({message_type: 'system', extra: {event: 'removed', user_ids: ['me']}});
        for (const socket of this.sockets) {
            socket.isSubscribed = false;
            socket.push({type: 'left', conversation_id: ID, reason: 'removed'});
        }
    }

    cut() {
        this.sockets.forEach((socket) => socket.cut());
    }

    resync() {
        this.sockets.forEach((socket) => socket.push({type: 'resync'}));
    }

    // ---- what it answers ----

    conversation() {
        return {id: ID, kind: 'group', peer: null, group: {joined_at: this.member.joinedAt}, last_message: this.messages.at(-1), change_seq: 0,
            read_seq: this.readSeq, first_seq: this.member.firstSeq, unread_count: 0, mention_count: 0};
    }

    visible(after) {
        return this.messages.filter((m) => m.seq > after && m.seq >= this.member.firstSeq);
    }

    sync({conversations, since}) {
        const cursor = `${this.activity}-0`;
        const answer = {conversations: [], gone: [], cursor, more: false};
        const listed = conversations.find((c) => c.id === ID);
        if (listed && this.member === null)
            answer.gone.push(ID);
        if (this.member === null)
            return answer;
        if (listed && this.visible(listed.seq).length > 0) {
            const messages = this.visible(listed.seq);
            answer.conversations.push({conversation: this.conversation(), messages: messages.slice(0, FEW), changes: [], has_more: messages.length > FEW});
        } else if (!listed && since !== null && this.activity > Number.parseInt(since, 10)) {
            const messages = this.visible(0);
            answer.conversations.push({conversation: this.conversation(), messages: messages.slice(-FEW), changes: [], has_more: messages.length > FEW});
        }
        return answer;
    }

    answer(method, path, query, body) {
        if (path === '/messages/sync')
            return this.sync(body);
        if (path === '/messages/conversations')
            return {items: this.member ? [this.conversation()] : [], next_cursor: null};
        if (this.member === null)
            return null;
        if (path === `/groups/${ID}`)
            return this.conversation();
        assert.equal(path, `/messages/conversations/${ID}/messages`);
        const messages = this.visible(Number(query.get('after')));
        return {items: messages.slice(0, FEW), has_more: messages.length > FEW};
    }

    async fetch(address, {method, body}) {
        this.busy++;
        try {
            const {pathname, searchParams} = new URL(address);
            await this.aWhile(SLOW);
            const answer = this.answer(method, pathname, searchParams, body && JSON.parse(body));
            await this.aWhile(SLOW);
            return answer === null ? Response.json({code: 'not_found'}, {status: 404}) : Response.json(answer);
        } finally {
            this.busy--;
        }
    }
}

// Nothing is on its way, nor is the client about to ask.
async function quiet(world, client) {
    for (let still = 0; still < 10;) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        still = world.busy === 0 && client.synced ? still + 1 : 0;
    }
}

const worlds = new Map(); // host -> World

async function round(seed) {
    const random = randomOf(seed);
    const world = new World(random);
    const host = `world-${seed}`;
    worlds.set(host, world);
    for (let n = random(4); n > 0; n--)
        world.say();
    if (random(2))
        world.add();
    const client = new TidingsClient({url: `http://${host}`, token: 'x', WebSocket: world.WebSocket,
        backoff: {baseMs: 0, maxMs: 0}, timing: {gapMs: 0}});
    const told = [];
    const isIn = [];
    client.on('message', (m) => told.push(m.seq));
    client.on('conversation', () => isIn.push(true));
    client.on('left', () => isIn.push(false));
    client.on('error', (error) => assert.fail(error));
    await client.connect().ready();
    try {
        await live(world, client, told, isIn);
    } finally {
        await client.close();
        worlds.delete(host);
    }
}

async function live(world, client, told, isIn) {
    const {random} = world;
    const before = world.messages.length; // history
    const acts = ['say', 'say', 'say', 'rename', 'add', 'add', 'remove', 'cut', 'resync'];
    for (let step = 0; step < STEPS; step++) {
        world[acts[random(acts.length)]]();
        await world.aWhile();
        if (random(20) === 0)
            await quiet(world, client);
    }
    await quiet(world, client);
    for (const [i, seq] of told.entries())
        assert.ok(i === 0 || seq > told[i - 1], `${seq} was told after ${told[i - 1]}`);
    assert.equal(isIn.at(-1) ?? false, world.member !== null, 'the last that was told of the group holds');
    assert.ok(isIn.every((is, i) => is || i === 0 || isIn[i - 1]), 'leaving is told once');
    assert.ok(isIn.filter((is) => !is).length <= world.leavings, 'and only when it has happened');
    if (world.member !== null) {
        const from = Math.max(world.member.joinedSeq, before + 1);
        assert.deepEqual(told.filter((seq) => seq >= from), world.messages.slice(from - 1).map((m) => m.seq));
    }
}

test('an answer that is older than a coming or a leaving changes nothing', async () => {
    const told = [];
    const shown = (seq) => ({id: ID, kind: 'group', peer: null, group: {}, change_seq: 0, read_seq: seq, first_seq: 1,
        last_message: {conversation_id: ID, id: `m${seq}`, seq, to_user_id: null}});
    const ledger = new Ledger({event: () => {}, gap: () => {}, behind: () => {}, moved: () => {}});
    ledger.restore([[ID, null, 4, 0]]);
    let happens; // while the answer is on its way
    let answer;
    const catchUp = new CatchUp({
        ledger, timing: {gapMs: 0}, backoff: {baseMs: 0, maxMs: 0},
        rest: {
            sync: async () => {
                await new Promise(setImmediate);
                happens();
                return {conversations: [], gone: [], cursor: '1-0', more: false, ...answer};
            },
            conversations: async () => ({items: [], next_cursor: null}),
        },
        on: {conversation: () => told.push('shown'), left: (id) => ledger.drop(id) && told.push('left'), synced: () => told.push('synced'), moved: () => {}},
    });
    catchUp.restore('0-0');
    const pass = async (then, answered) => {
        [happens, answer] = [then, answered];
        told.length = 0;
        catchUp.start();
        while (!told.includes('synced'))
            await new Promise(setImmediate);
        catchUp.stop();
        return told.join(' ');
    };
    const item = (seq) => ({conversations: [{conversation: shown(seq), messages: [], changes: [], has_more: false}]});
    assert.equal(await pass(() => {}, item(4)), 'shown synced');
    assert.equal(await pass(() => ledger.meet(shown(4)), {gone: [ID]}), 'synced', 'come back since');
    assert.equal(ledger.seqOf(ID), 4);
    assert.equal(await pass(() => ledger.drop(ID), item(4)), 'synced', 'left since');
    assert.equal(ledger.seqOf(ID), null);
    ledger.meet(shown(6));
    assert.equal(await pass(() => {}, {gone: [ID]}), 'left synced');
    assert.equal(await pass(() => {}, {gone: [ID]}), 'synced', 'and once');
});

test(`a group that is joined, left, renamed and talked in, in ${ROUNDS} worlds`, {timeout: 300000}, async (t) => {
    const plainFetch = globalThis.fetch;
    globalThis.fetch = (address, options) => worlds.get(new URL(address).hostname).fetch(address, options);
    const first = Number(process.env.TIDINGS_SEED || Date.now() % 1000000);
    t.diagnostic(`TIDINGS_SEED=${first}`);
    try {
        for (let n = 0; n < ROUNDS; n += TOGETHER) {
            const ends = await Promise.allSettled(Array.from({length: TOGETHER}, (_, i) => round(first + n + i)));
            ends.forEach(({reason}, i) => assert.ok(!reason, `TIDINGS_SEED=${first + n + i}: ${reason?.stack}`));
        }
    } finally {
        globalThis.fetch = plainFetch;
    }
});
