// SPDX-License-Identifier: BSD-2-Clause
// Proves that what has come is reported: gathered, not again, not what was read, and once more when it is not known
// whether it has arrived; and that the senders are told, whether the recipient was there or came later.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {withClock} from './clock.js';
import {WebSocket, ask, closeAll, friends, needsServer, open, told, until} from './kit.js';
import {Deliveries} from '../src/deliveries.js';

afterEach(closeAll);

// What it reports while time passes.
function withReports(body) {
    withClock((clock) => {
        const reports = [];
        const deliveries = new Deliveries({tell: (...report) => reports.push(report)});
        body(deliveries, (ms) => (clock.pass(ms), reports.splice(0)));
        deliveries.stop();
    });
}

test('the first report goes after a moment, those that follow gathered', () => withReports((deliveries, pass) => {
    deliveries.start();
    for (let seq = 1; seq <= 3; seq++)
        deliveries.received('a', seq);
    deliveries.received('b', 7);
    assert.deepEqual(pass(249), []);
    assert.deepEqual(pass(1), [['a', 3], ['b', 7]]);
    for (let seq = 4; seq <= 30; seq++)
        deliveries.received('a', seq);
    assert.deepEqual(pass(999), []);
    deliveries.received('a', 31);
    assert.deepEqual(pass(1), [['a', 31]]);
    deliveries.received('a', 31);
    deliveries.received('a', 2);
    deliveries.received('b', 7);
    assert.deepEqual(pass(5000), [], 'nothing is reported twice');
    deliveries.received('b', 8);
    assert.deepEqual(pass(250), [['b', 8]], 'after a pause after a moment again');
}));

test('what was read is not reported, nor what is read before its report', () => withReports((deliveries, pass) => {
    deliveries.start();
    deliveries.read('a', 5);
    deliveries.received('a', 5);
    deliveries.received('b', 1);
    deliveries.read('b', 1);
    assert.deepEqual(pass(2000), []);
    deliveries.received('a', 6);
    deliveries.received('b', 2);
    deliveries.read('b', 1);
    assert.deepEqual(pass(250), [['a', 6], ['b', 2]]);
}));

test('without a connection they wait, and what was reported last is in doubt', () => withReports((deliveries, pass) => {
    deliveries.received('a', 1);
    assert.deepEqual(pass(5000), []);
    deliveries.start();
    assert.deepEqual(pass(1), [['a', 1]]);
    pass(6000);
    deliveries.received('b', 1);
    assert.deepEqual(pass(250), [['b', 1]]);
    pass(1000);
    deliveries.received('b', 2);
    deliveries.stop();
    deliveries.received('c', 1);
    assert.deepEqual(pass(2000), []);
    deliveries.start();
    assert.deepEqual(pass(1), [['b', 2], ['c', 1]], 'not what was reported long before');
    deliveries.stop();
    deliveries.start();
    assert.deepEqual(pass(5000), [['b', 2], ['c', 1]]);
}));

test('after an absence a few go at a time', () => withReports((deliveries, pass) => {
    for (let i = 0; i < 10; i++)
        deliveries.received(`c${i}`, 1);
    pass(1000);
    deliveries.start();
    const each = [pass(1), pass(99), pass(1), pass(100), pass(100), pass(5000)].map((reports) => reports.map(([id]) => id));
    assert.deepEqual(each, [['c0', 'c1'], [], ['c2', 'c3'], ['c4', 'c5'], ['c6', 'c7'], ['c8', 'c9']]);
}));

// The frames `delivered` that a client sends.
function watched() {
    const reports = [];
    class Watched extends WebSocket {
        send(data) {
            const {type, ...report} = JSON.parse(data);
            if (type === 'delivered')
                reports.push(report);
            super.send(data);
        }
    }
    return {reports, WebSocket: Watched};
}

const reached = (client, seq) => until(`delivery up to ${seq}`, () => client.seen.delivered.some((d) => d.up_to_seq === seq));

test('the sender is told of what comes, gathered', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const {reports, WebSocket: Watched} = watched();
    const [a, a2, b] = await Promise.all([open(alice, {device: 'web'}), open(alice, {device: 'ios'}), open(bob, {WebSocket: Watched})]);
    const sent = await Promise.all(Array.from({length: 30}, (_, n) => a.send({to: bob, content: `${n}`}).done));
    const conversation_id = sent[0].conversation_id;
    await told(b, 30);
    await Promise.all([a, a2].map((client) => reached(client, 30)));
    assert.deepEqual(a.seen.delivered.at(-1), {conversation_id, user_id: bob, up_to_seq: 30});
    assert.ok(reports.length < 30, `${reports.length} reports of 30 messages`);
    assert.equal((await a.rest.conversation(conversation_id)).peer_delivered_seq, 30);
    const {content, seq} = await b.send({to: alice, content: 'an answer'}).done;
    assert.deepEqual([content, seq], ['an answer', 31]);
    await reached(b, 31);
    assert.equal(reports.filter((r) => r.up_to_seq === 31).length, 0, 'one\'s own is not reported');
    assert.deepEqual(b.seen.delivered.map((d) => d.user_id), [alice]);
});

test('what came during an absence is reported afterwards, by a new client too; what was read is not', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    const first = await a.send({to: bob, content: 'before'}).done;
    const b = await open(bob);
    await reached(a, first.seq);
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    const second = await a.send({to: bob, content: 'meanwhile'}).done;
    await b.connect().ready();
    await reached(a, second.seq);
    await b.close();
    const third = await a.send({to: bob, content: 'read elsewhere'}).done;
    const {reports, WebSocket: Watched} = watched();
    const silent = await open(bob, {reportDelivery: false, WebSocket: Watched});
    silent.markRead(third.conversation_id);
    await until('the read', () => a.seen.read.length > 0);
    const again = await open(bob, {WebSocket: Watched});
    assert.deepEqual(reports, [], 'neither what was read, nor by one that is not to report');
    await a.send({to: bob, content: 'and on'}).done;
    await told(again, 1);
    await reached(a, 4);
    assert.deepEqual((await a.rest.conversation(third.conversation_id)).peer_delivered_seq, 4);
});

test('of groups nothing is reported', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    const {reports, WebSocket: Watched} = watched();
    const b = await open(bob, {WebSocket: Watched});
    const group = await a.rest.createGroup({name: 'Walkers', user_ids: [bob]});
    assert.equal(group.peer_delivered_seq, null);
    await a.send({conversation_id: group.id, content: 'to all'}).done;
    const {conversation_id} = await a.send({to: bob, content: 'to one'}).done;
    await reached(a, 1);
    await until('the message to the group', () => b.seen.message.some((m) => m.content === 'to all'));
    await b.send({to: alice, content: 'an answer'}).done;
    await reached(b, 2);
    assert.deepEqual(reports, [{conversation_id, up_to_seq: 1}]);
});
