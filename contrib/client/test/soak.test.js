// SPDX-License-Identifier: BSD-2-Clause
// Proves the whole: two clients exchange thousands of messages, recall some, while the server's workers are killed
// without warning. At the end both were told exactly what the server has: each message once, in order, as it is now.
// TIDINGS_SOAK: how many messages each sends.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {ask, closeAll, friends, history, inOrder, needsServer, open, until} from './kit.js';

const EACH = Number(process.env.TIDINGS_SOAK || 1500);
const KILLS = 12;
const UNSENT_MAX = 40;

afterEach(closeAll);

async function sendAll(client, to) {
    let acked = 0;
    client.on('ack', ({message}) => {
        acked++;
        if (message.seq % 97 === 0)
            client.recall(message.id).catch(() => {}); // whether it worked, the server says at the end
    });
    for (let n = 1; n <= EACH; n++) {
        await until('room', () => client.unsent.length < UNSENT_MAX);
        client.send({to, content: `${to} ${n}`});
    }
    await until('all to be acknowledged', () => acked === EACH);
}

// What a view would show: each message, with what was done to it later.
function shown(client) {
    const recalled = new Set(client.seen.recalled.map((r) => r.message_id));
    return client.seen.message.map(({id, seq, from_user_id, content, client_msg_id, is_recalled}) => {
        const gone = is_recalled || recalled.has(id);
        return {id, seq, from_user_id, content: gone ? null : content, client_msg_id, is_recalled: gone};
    });
}

test(`two clients, ${2 * EACH} messages, workers killed ${KILLS} times`, needsServer, async (t) => {
    const [alice, bob] = await friends('alice', 'bob');
    const backoff = {baseMs: 20, maxMs: 200};
    const [a, b] = await Promise.all([open(alice, {backoff}), open(bob, {backoff})]);
    const sending = Promise.all([sendAll(a, bob), sendAll(b, alice)]);
    for (let kills = 0; kills < KILLS; kills++) {
        const next = (kills + 1) * 2 * EACH / (KILLS + 2);
        await until('more to be sent', () => a.seen.ack.length + b.seen.ack.length >= next);
        await until('all workers to be there', () => ask('kill_worker'));
    }
    await sending;
    await until('both to have it all', () => [a, b].every((c) => c.synced && c.seen.message.length >= 2 * EACH));
    // An event is lost if a worker dies before it is told; the next of its kind shows it.
    const {id, conversation_id} = await a.send({to: bob, content: 'the end'}).done;
    await until('the last recall', async () => {
        await a.recall(id).catch(() => {});
        return [a, b].every((c) => c.seen.recalled.some((r) => r.message_id === id));
    });
    const truth = (await history(a, conversation_id)).map(({id, seq, from_user_id, content, client_msg_id, is_recalled}) =>
        ({id, seq, from_user_id, content, client_msg_id, is_recalled}));
    assert.equal(truth.length, 2 * EACH + 1);
    // Not by deepEqual, which takes minutes to say how thousands of messages differ.
    const text = JSON.stringify(truth);
    await until('both to show what the server has', () => [a, b].every((c) => JSON.stringify(shown(c)) === text));
    [a, b].forEach(inOrder);
    for (const to of [alice, bob]) {
        const numbers = truth.filter((m) => m.content?.startsWith(`${to} `)).map((m) => Number(m.content.split(' ')[1]));
        assert.deepEqual(numbers, [...numbers].sort((x, y) => x - y), 'in the order of sending');
    }
    const count = (name) => a.seen[name].length + b.seen[name].length;
    const replayed = [...a.seen.ack, ...b.seen.ack].filter((k) => k.replayed).length;
    t.diagnostic(`${truth.length} messages, ${truth.filter((m) => m.is_recalled).length} recalled, ${replayed} acknowledged ` +
        `by a repetition, ${count('synced')} times caught up`);
    assert.ok(count('synced') > 2, 'connections were lost');
    assert.deepEqual([...a.seen.refused, ...b.seen.refused, ...a.seen.error, ...b.seen.error], []);
});
