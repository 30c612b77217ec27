// SPDX-License-Identifier: BSD-2-Clause
// Proves what the client is for: whatever happens to the server, the network or the token, what was sent arrives once,
// what was missed is caught up with in order, and it comes back when it may and stays away when it must.
import assert from 'node:assert/strict';
import {afterEach, test} from 'node:test';
import {SlowStorage, Wire, ask, closeAll, contents, friends, history, inOrder, lossy, needsServer, open, states, told, until}
    from './kit.js';

afterEach(closeAll);

// Two clients that have spoken; options are the second one's.
async function pair(options = {}) {
    const [alice, bob] = await friends('alice', 'bob');
    const [a, b] = await Promise.all([open(alice), open(bob, options)]);
    const {conversation_id} = await a.send({to: bob, content: 'first'}).done;
    await told(b, 1);
    return {alice, bob, a, b, conversation_id};
}

// All that both were told, and all that the server has, are these contents.
async function allEqual({a, b, conversation_id}, expected) {
    for (const client of [a, b]) {
        assert.deepEqual(await told(client, expected.length), expected);
        assert.deepEqual((await history(client, conversation_id)).map((m) => m.content), expected);
    }
}

for (const how of ['kill', 'stop']) {
    test(`the server is gone (${how}) and comes back; what was sent in between arrives once and in order`, needsServer, async () => {
        const talk = await pair();
        const {alice, bob, a, b} = talk;
        await ask(how);
        await until('both to notice', () => !a.online && !b.online);
        const sendings = ['2', '3', '4'].map((content) => a.send({to: bob, content}));
        assert.deepEqual(a.unsent.map((d) => d.content), ['2', '3', '4']);
        await ask('start');
        const stored = await Promise.all(sendings.map((s) => s.done));
        assert.deepEqual(stored.map((m) => m.client_msg_id), sendings.map((s) => s.client_msg_id));
        await b.send({to: alice, content: '5'}).done;
        await allEqual(talk, ['first', '2', '3', '4', '5']);
        assert.ok(a.seen.state.filter((s) => s.state === 'waiting').every((s) => s.retryInMs <= 2000), 'within the backoff or what the server said');
    });
}

test('a draining server says when to come back, and that is when', needsServer, async () => {
    const talk = await pair();
    const {bob, a, b} = talk;
    await ask('drain');
    const waiting = await until('the farewell', () => a.seen.state.find((s) => s.state === 'waiting'));
    assert.equal(waiting.reason, 'draining');
    await until('the other one', () => !b.online);
    const sending = a.send({to: bob, content: '2'});
    await ask('drained');
    await ask('start');
    await sending.done;
    await allEqual(talk, ['first', '2']);
});

test('kicked, it stays away until it is told to come back, and then misses nothing', needsServer, async () => {
    const wire = await Wire.open();
    const talk = await pair({url: wire.url});
    const {bob, a, b} = talk;
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    assert.deepEqual(b.seen.kicked, [{reason: 'kicked', by_session: null}]);
    const queued = b.send({conversation_id: talk.conversation_id, content: '4'});
    for (const content of ['2', '3'])
        await a.send({to: bob, content}).done;
    await a.rest.unreadCount();
    assert.deepEqual([wire.connections, states(b).at(-1)], [1, 'replaced']);
    await assert.rejects(Promise.race([b.ready(), queued.done, a.rest.history('1')]), {code: 'not_found'});
    b.connect();
    await queued.done;
    await allEqual(talk, ['first', '2', '3', '4']);
    wire.close();
});

test('of two sessions of one device the older goes, and they do not take turns', needsServer, async () => {
    const {bob, b} = await pair();
    const newer = await open(bob);
    await until('the older to go', () => b.state === 'replaced');
    assert.equal(b.seen.kicked[0].by_session, newer.sessionId);
    assert.deepEqual(states(newer), ['connecting', 'online']);
});

test('Redis stops: sends are acknowledged, and what no event told is caught up with', needsServer, async () => {
    const talk = await pair();
    const {alice, bob, a, b} = talk;
    await ask('redis_stop');
    const expected = ['first'];
    for (let n = 0; n < 10; n++) {
        const content = `away ${n}`;
        expected.push(content);
        await (n % 2 ? a.send({to: bob, content}) : b.send({to: alice, content})).done;
    }
    const [ofA, ofB] = [a.seen.synced.length, b.seen.synced.length];
    await ask('redis_start');
    await until('resync', () => a.seen.synced.length > ofA && b.seen.synced.length > ofB);
    await allEqual(talk, expected);
    assert.deepEqual([states(a), states(b)], [['connecting', 'online'], ['connecting', 'online']], 'nobody lost the connection');
});

test('a connection that breaks off in the middle of a frame', needsServer, async () => {
    const wire = await Wire.open();
    const talk = await pair({url: wire.url});
    const {bob, a, b} = talk;
    const expected = ['first'];
    // Within the header of a frame, its length, and its text.
    for (const bytes of [1, 3, 400]) {
        wire.cutAfter(bytes);
        const content = `${bytes} ${'x'.repeat(600)}`;
        expected.push(content);
        await a.send({to: bob, content}).done;
        await until('the cut', () => wire.isCut);
        await told(b, expected.length);
    }
    await allEqual(talk, expected);
    assert.equal(wire.connections, 4);
    wire.close();
});

test('a connection that is cut while sends are under way', needsServer, async () => {
    const wire = await Wire.open();
    const talk = await pair({url: wire.url});
    const {alice, b} = talk;
    const expected = ['first'];
    for (let n = 0; n < 20; n++) {
        wire.cutAfter(10); // the acknowledgement, mostly
        expected.push(`${n}`);
        await b.send({to: alice, content: `${n}`}).done;
    }
    await allEqual(talk, expected);
    assert.ok(b.seen.ack.some((k) => k.replayed), 'some were stored though their acknowledgement was lost');
    wire.close();
});

test('a network that goes silent is noticed by the heartbeat', needsServer, async () => {
    const wire = await Wire.open();
    const talk = await pair({url: wire.url, timing: {heartbeatMs: 50, answerMs: 300}});
    wire.silence();
    await talk.a.send({to: talk.bob, content: '2'}).done;
    await allEqual(talk, ['first', '2']);
    assert.ok(wire.connections >= 2);
    wire.close();
});

test('lost events: the gap is seen, filled, and the order kept', needsServer, async () => {
    let n = 0;
    const talk = await pair({WebSocket: lossy((frame) => frame.type !== 'message' || n++ % 3 !== 1), timing: {gapMs: 1}});
    const expected = ['first'];
    const sendings = [];
    // Of those that pass, the last is an odd one of three.
    for (let i = 1; i < 61; i++) {
        expected.push(`${i}`);
        sendings.push(talk.a.send({to: talk.bob, content: `${i}`}));
    }
    await Promise.all(sendings.map((s) => s.done));
    await until('the last event', () => n === 61);
    await allEqual(talk, expected);
    assert.equal(states(talk.b).length, 2, 'without a reconnection');
});

test('a recall that no event told is caught up with at the next', needsServer, async () => {
    let n = 0;
    const {bob, a, b} = await pair({WebSocket: lossy((frame) => frame.type !== 'recalled' || n++ > 0)});
    const [two, three] = await Promise.all(['2', '3'].map((content) => a.send({to: bob, content}).done));
    await a.recall(two.id);
    await until('the lost event', () => n === 1);
    await a.recall(three.id);
    await until('both', () => b.seen.recalled.length === 2);
    assert.deepEqual(b.seen.recalled.map((r) => r.message_id).sort(), [two.id, three.id].sort());
});

test('a message deleted while its gap is filled does not hold up the others', needsServer, async () => {
    const drop = new Set(['2', '3']);
    const talk = await pair({WebSocket: lossy((frame) => frame.type !== 'message' || !drop.has(frame.message.content))});
    const {bob, a, b} = talk;
    const two = await a.send({to: bob, content: '2'}).done;
    const three = await a.send({to: bob, content: '3'}).done;
    await Promise.all([b.delete(two.id), b.delete(three.id)]);
    await a.send({to: bob, content: '4'}).done;
    assert.deepEqual(await told(b, 2), ['first', '4']);
});

test('an expired token is replaced by the callback', needsServer, async () => {
    let asked = 0;
    const [alice, bob] = await friends('alice', 'bob');
    const a = await open(alice);
    const b = await open(bob, {getToken: () => ask('token', bob, asked++ === 0 ? 1800 : 86000)});
    await ask('clock', 3600);
    await until('another token', () => asked === 2 && b.synced);
    assert.deepEqual(states(b), ['connecting', 'online', 'waiting', 'connecting', 'online']);
    assert.equal(b.seen.state[2].reason, 'token expired');
    await a.send({to: bob, content: 'still here'}).done;
    assert.deepEqual(await told(b, 1), ['still here']);
});

test('a token that is refused at the door: another one, or the user has to sign in', needsServer, async () => {
    const [alice] = await friends('alice');
    const good = await ask('token', alice);
    let asked = 0;
    const a = await open(alice, {token: `${good}x`, getToken: () => (asked++, good)});
    assert.deepEqual([asked, states(a).at(-1)], [1, 'online']);
    await a.close();

    const b = await open(alice, {getToken: () => (asked++, 'no.token.atall'), connect: false});
    b.connect();
    await assert.rejects(b.ready(), {code: 'disconnected'});
    assert.deepEqual([asked, b.state], [2, 'unauthorized'], 'it does not ask over and over');
    await assert.rejects(b.rest.unreadCount(), {code: 'token_invalid'});
    b.setToken(good);
    await b.ready();
    assert.equal(b.userId, alice);
    await b.close();

    const [other] = await friends('other');
    const c = await open(alice, {getToken: () => ask('token', other), userId: alice, connect: false});
    c.connect();
    await assert.rejects(c.ready());
    assert.equal(c.state, 'unauthorized', 'another user\'s token opens nothing');
});

test('a callback that fails for a while is asked again', needsServer, async () => {
    const [alice] = await friends('alice');
    let asked = 0;
    const a = await open(alice, {getToken: () => {
        if (asked++ < 3)
            throw new Error('the account service is away');
        return ask('token', alice);
    }, connect: false});
    a.connect();
    await until('the connection', () => a.online);
    assert.equal(asked, 4);
});

test('what was unsent survives a reload; what was missed meanwhile comes, and nothing twice', needsServer, async () => {
    const [alice, bob] = await friends('alice', 'bob');
    const storage = new SlowStorage();
    const a = await open(alice);
    const before = await open(bob, {storage, userId: bob});
    const {conversation_id} = await a.send({to: bob, content: '1'}).done;
    await told(before, 1);
    await ask('stop');
    await until('it to be noticed', () => !before.online);
    const lost = before.send({to: alice, content: '2'});
    before.send({to: alice, content: '3'});
    await before.close();
    await assert.rejects(lost.done, {code: 'disconnected'});

    await ask('start');
    await a.ready();
    await a.send({to: bob, content: 'missed'}).done;
    const after = await open(bob, {storage, userId: bob, connect: false});
    await until('the storage', () => after.unsent.length === 2);
    assert.deepEqual(after.unsent.map((d) => [d.content, d.client_msg_id.length > 0]), [['2', true], ['3', true]]);
    after.send({to: alice, content: '4'});
    after.connect();
    await until('all to be sent', () => after.unsent.length === 0 && after.synced);
    assert.deepEqual(await told(after, 4), ['missed', '2', '3', '4']);
    assert.deepEqual(await told(a, 5), ['1', 'missed', '2', '3', '4']);
    assert.equal((await history(a, conversation_id)).length, 5);
    await after.close();
    const third = await open(bob, {storage});
    assert.deepEqual([third.seen.message, third.unsent], [[], []]);
    await third.close();
    const fresh = await open(bob, {storage, resume: false});
    assert.deepEqual(fresh.seen.message, []);
});

test('what was done to messages during an absence is told once', needsServer, async () => {
    const talk = await pair();
    const {bob, a, b, conversation_id} = talk;
    const two = await a.send({to: bob, content: '2'}).done;
    const three = await a.send({to: bob, content: '3'}).done;
    await told(b, 3);
    await ask('kick', bob);
    await until('the end', () => b.state === 'replaced');
    await a.recall(two.id);
    await b.delete(three.id);
    await b.rest.readConversation(conversation_id, 1);
    b.connect();
    await b.ready();
    assert.deepEqual(b.seen.recalled.map((r) => r.message_id), [two.id]);
    assert.deepEqual(b.seen.deleted.map((d) => d.message_id), [three.id]);
    assert.equal(b.seen.conversation.at(-1).read_seq, 1, 'and how far was read stands in the conversation');
    await b.rest.sync();
    await ask('kick', bob);
    await until('the end again', () => b.state === 'replaced');
    b.connect();
    await b.ready();
    assert.deepEqual([b.seen.recalled.length, b.seen.deleted.length, contents(b)], [1, 1, ['first', '2', '3']]);
});

test('many conversations, more than one request may list', needsServer, async () => {
    const [hub] = await friends('hub');
    const others = Array.from({length: 230}, (_, i) => `${hub}-friend-${i}`);
    await Promise.all(others.map((other) => ask('befriend', hub, other)));
    const sender = await open(hub, {device: 'web'});
    await Promise.all(others.map((to) => sender.send({to, content: 'old'}).done));
    const b = await open(hub, {device: 'ios'});
    assert.equal(new Set(b.seen.conversation.map((c) => c.id)).size, 230);
    await ask('kick', hub);
    await until('the end', () => b.state === 'replaced' && sender.state === 'replaced');
    sender.connect();
    // The first 60 are those that were active longest ago, so that some are not listed.
    for (const n of [1, 2, 3])
        await Promise.all(others.slice(0, 60).map((to) => sender.send({to, content: `new ${n}`}).done));
    b.connect();
    await b.ready();
    assert.equal((await told(b, 180)).filter((c) => c === 'new 3').length, 60);
    inOrder(b);
});
