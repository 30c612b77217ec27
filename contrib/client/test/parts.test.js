// SPDX-License-Identifier: BSD-2-Clause
// Proves the parts that decide something, each alone: backoff, close codes, tokens, the ledger, the outbox, the storage.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {Backoff} from '../src/backoff.js';
import {CatchUp} from '../src/catch_up.js';
import {REFRESH, RETRY, STAY_AWAY, actionAfter, isOurFault} from '../src/close_codes.js';
import {Emitter} from '../src/emitter.js';
import {Ledger} from '../src/ledger.js';
import {Outbox} from '../src/outbox.js';
import {Problem} from '../src/problem.js';
import {Slot} from '../src/slot.js';
import {Tokens} from '../src/tokens.js';
import {TidingsClient} from '../src/client.js';

const turn = () => new Promise(setImmediate);

test('the backoff doubles its bound up to the limit and draws from all of it', () => {
    for (const random of [() => 0, () => 0.5, () => 1]) {
        const backoff = new Backoff({baseMs: 100, maxMs: 1000, random});
        assert.deepEqual(Array.from({length: 6}, () => backoff.next()), [100, 200, 400, 800, 1000, 1000].map((ms) => ms * random()));
        backoff.reset();
        assert.equal(backoff.next(), 100 * random());
    }
    const backoff = new Backoff({baseMs: 1, maxMs: 1000, random: () => 1});
    for (let i = 0; i < 2000; i++)
        assert.ok(backoff.next() <= 1000);
});

test('the table of close codes', () => {
    assert.equal(actionAfter(4001), STAY_AWAY);
    assert.equal(actionAfter(4002), REFRESH);
    for (const code of [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 1013, 4003, 4008, 4999])
        assert.equal(actionAfter(code), RETRY, String(code));
    assert.deepEqual([1001, 1002, 1003, 1006, 1007, 1009, 1013, 4008].filter(isOurFault), [1002, 1003, 1007, 1009]);
});

test('a listener that throws is reported as uncaught, and disturbs nobody', () => {
    const heard = [];
    const uncaught = [];
    const queued = globalThis.queueMicrotask;
    globalThis.queueMicrotask = (report) => uncaught.push(report);
    const emitter = new Emitter();
    emitter.on('x', () => {
        throw new Error('on purpose');
    });
    const off = emitter.on('x', (e) => heard.push(e));
    emitter.once('x', (e) => heard.push(`once ${e}`));
    emitter.emit('x', 1);
    emitter.emit('x', 2);
    emitter.emit('y', 1);
    off();
    emitter.emit('x', 3);
    globalThis.queueMicrotask = queued;
    assert.deepEqual(heard, [1, 'once 1', 2]);
    assert.equal(uncaught.length, 3);
    assert.throws(uncaught[0], /on purpose/);
});

test('a token that was just fetched and is refused ends the fetching; one that served is replaced', async () => {
    let n = 0;
    const tokens = new Tokens('first', () => `token ${++n}`);
    assert.equal(await tokens.get(), 'first');
    tokens.refused('first');
    assert.deepEqual(await Promise.all([tokens.get(), tokens.get()]), ['token 1', 'token 1'], 'fetched once for all who ask');
    tokens.accepted('token 1');
    tokens.refused('an older one');
    tokens.refused('token 1');
    assert.equal(await tokens.get(), 'token 2');
    tokens.refused('token 2');
    assert.equal(tokens.refreshable, false);
    await assert.rejects(tokens.get(), {code: 'token_invalid'});
    tokens.retry();
    assert.equal(await tokens.get(), 'token 3');
    await assert.rejects(new Tokens(null, () => null).get(), {code: 'token_invalid'});
    await assert.rejects(new Tokens(null, () => Promise.reject(new Error('away'))).get(), {code: 'disconnected', transient: true});
});

// ---- the ledger ----

const message = (seq, more = {}) => ({id: `m${seq}`, conversation_id: 'c', seq, from_user_id: 'bob', to_user_id: 'alice',
    content: `${seq}`, is_recalled: false, ...more});
const conversation = (seq, change_seq = 0) => ({id: 'c', peer: {user_id: 'bob'}, last_message: seq ? message(seq) : null, change_seq});

function ledgerAt(seq, changeSeq = 0) {
    const told = [];
    const gaps = [];
    const behind = [];
    const ledger = new Ledger({
        event: (name, e) => told.push(name === 'message' ? e.seq : `${name} ${e.message_id ?? e.message_ids}`),
        gap: (id) => gaps.push(id), behind: () => behind.push(ledger.recent(1)[0].change_seq), moved: () => {},
    });
    ledger.restore([['c', 'bob', seq, changeSeq]]);
    return {ledger, told, gaps, behind};
}

test('any order and repetition of events comes out once and in order', () => {
    for (let round = 0; round < 200; round++) {
        const {ledger, told} = ledgerAt(0);
        const heard = Array.from({length: 40}, (_, i) => message(1 + i % 20));
        heard.sort(() => Math.random() - 0.5);
        heard.forEach((m) => ledger.heard(m, false));
        assert.deepEqual(told, Array.from({length: 20}, (_, i) => i + 1));
    }
});

test('what is missing is asked for; what was deleted is passed over', () => {
    const {ledger, told, gaps} = ledgerAt(4);
    [8, 6, 4].forEach((seq) => ledger.heard(message(seq), false));
    assert.deepEqual([told, gaps.length > 0, ledger.heldOf('c').sort()], [[], true, [6, 8]]);
    ledger.fill('c', [message(6), message(7)]);
    assert.deepEqual(told, [6, 7, 8], 'seq 5 is gone for good');
    ledger.heard(message(11), false);
    ledger.settle('c', 11);
    ledger.heard(message(12), false);
    assert.deepEqual(told, [6, 7, 8, 12], 'and so is 11, which was deleted while it was held');
});

test('at the beginning, history is history, and what was heard meanwhile is new', () => {
    const {ledger, told} = ledgerAt(0);
    const fresh = new Ledger({event: (name, e) => told.push(e.seq), gap: () => {}, moved: () => {}});
    fresh.heard(message(7), false);
    assert.deepEqual(told, []);
    fresh.begin(conversation(8));
    assert.deepEqual(told, [7], 'seq 7 was told live');
    fresh.heard(message(8), false);
    fresh.heard(message(1, {conversation_id: 'new', id: 'n1'}), false);
    fresh.allBegun();
    assert.deepEqual(told, [7, 8, 1]);
    assert.deepEqual(fresh.save(), [['c', 'bob', 8, 0, null], ['new', 'bob', 1, 0, null]]);
    ledger.restore(fresh.save());
    assert.deepEqual(ledger.recent(1), [{id: 'new', seq: 1, change_seq: 0}]);
});

test('a recall is told once, and never undone by a message read before it', () => {
    const {ledger, told, behind} = ledgerAt(0);
    const shown = [];
    const watching = new Ledger({event: (name, e) => shown.push(e), gap: () => {}, moved: () => {}});
    watching.restore([['c', 'bob', 0, 0]]);
    watching.heard(message(2), false);
    assert.equal(watching.changed('recalled', 'm2', 'then'), true);
    assert.equal(watching.changed('deleted', 'm3', null), true);
    watching.fill('c', [message(1), message(2), message(3), message(4)]);
    assert.deepEqual(shown.map((m) => [m.seq, m.is_recalled, m.content]), [[1, false, '1'], [2, true, null], [4, false, '4']]);
    const changes = [{change_seq: 3, kind: 'recalled', message_id: 'm1', at: 't'}, {change_seq: 5, kind: 'read', message_id: 'm2', at: 't'}];
    ledger.changed('recalled', 'm1', 't');
    [2, 1, 1, 3].forEach((changeSeq) => ledger.heardChange('c', changeSeq));
    assert.deepEqual(ledger.recent(1), [{id: 'c', seq: 0, change_seq: 1}], 'only the next one is sure to leave none out');
    assert.deepEqual(behind, [0, 1]);
    assert.equal(ledger.merge({conversation: conversation(2, 6), messages: [message(1), message(2)], changes, has_more: false}, true), false);
    assert.deepEqual(told, [1, 2, 'read m2']);
    assert.deepEqual(ledger.recent(1), [{id: 'c', seq: 2, change_seq: 6}]);
});

test('the newest messages of a conversation that was not listed are not taken for the next', () => {
    const {ledger, told} = ledgerAt(5);
    const item = {conversation: conversation(60), messages: [message(59), message(60)], changes: [], has_more: true};
    assert.equal(ledger.merge(item, false), true, 'to be listed');
    assert.deepEqual(told, []);
    assert.equal(ledger.merge({conversation: {...conversation(2), id: 'd'}, messages: [1, 2].map((s) => message(s, {conversation_id: 'd'})), changes: [], has_more: false}, false), false);
    assert.deepEqual(told, [1, 2], 'but all of a new one');
});

const inGroup = (seq, more = {}) => message(seq, {conversation_id: 'g', id: `g${seq}`, to_user_id: null, ...more});
const group = (lastSeq, more = {}) => ({id: 'g', peer: null, last_message: inGroup(lastSeq), change_seq: 0, read_seq: 1, first_seq: 1, ...more});

test('a group begins where the user joined it, and at the first connection at its end', () => {
    for (const [shown, expected] of [[group(9, {read_seq: 7}), [7, 8, 9]], [group(9, {read_seq: 9, first_seq: 6}), [6, 7, 8, 9]], [group(1), [1]]]) {
        const {ledger, told, gaps} = ledgerAt(0);
        ledger.meet(shown);
        assert.deepEqual([told, gaps, ledger.isWanting('g')], [[], ['g'], true], 'its messages are to be fetched');
        ledger.fill('g', Array.from({length: 9}, (_, i) => inGroup(i + 1)).slice(0, shown.last_message.seq));
        assert.deepEqual([told, ledger.isWanting('g')], [expected, false]);
        assert.deepEqual(ledger.save().at(-1), ['g', null, shown.last_message.seq, 0, null]);
        assert.equal(ledger.peerOf('g'), null);
    }
    const told = [];
    const gaps = [];
    const fresh = new Ledger({event: (name, e) => told.push(e.seq), gap: (id) => gaps.push(id), moved: () => {}});
    fresh.heard(inGroup(12), false);
    fresh.begin(group(11, {read_seq: 3}));
    assert.deepEqual(told, [12]);
    fresh.heard(inGroup(5, {conversation_id: 'h', id: 'h5'}), true);
    fresh.allBegun();
    assert.deepEqual([told, gaps], [[12], ['h']], 'one that was in no list has to be asked for');
    fresh.meet(group(5, {id: 'h', read_seq: 4}));
    fresh.fill('h', [inGroup(4, {conversation_id: 'h', id: 'h4'})]);
    assert.deepEqual(told, [12, 4, 5]);
});

test('a new group in the answer of a catching up is listed only where messages are missing', () => {
    const item = (conversation, seqs, has_more) => ({conversation, messages: seqs.map((s) => inGroup(s)), changes: [], has_more});
    const {ledger, told} = ledgerAt(0);
    assert.equal(ledger.merge(item(group(60, {read_seq: 59, change_seq: 4}), [58, 59, 60], true), false), false);
    assert.deepEqual([told, ledger.recent(1)], [[59, 60], [{id: 'g', seq: 60, change_seq: 4}]], 'what is older is history');
    const other = ledgerAt(0);
    assert.equal(other.ledger.merge(item(group(60, {read_seq: 20}), [59, 60], true), false), true);
    assert.deepEqual([other.told, other.ledger.recent(1)], [[], [{id: 'g', seq: 19, change_seq: 0}]]);
    assert.equal(other.ledger.merge(item(group(60, {read_seq: 20}), [20, 59, 60], false), true), false);
    assert.deepEqual(other.told, [20, 59, 60]);
});

test('leaving is told once, and what was told before does not come again', () => {
    const {ledger, told} = ledgerAt(0);
    ledger.meet(group(3, {read_seq: 3}));
    ledger.heard(inGroup(3), false);
    const asked = ledger.moment;
    assert.deepEqual([ledger.leftSince('g', asked), ledger.metSince('g', asked)], [false, false]);
    assert.deepEqual([ledger.drop('g'), ledger.drop('g')], [true, false]);
    assert.deepEqual([ledger.leftSince('g', asked), ledger.leftSince('g', ledger.moment), ledger.save().length], [true, false, 1]);
    ledger.meet(group(3, {read_seq: 3}));
    ledger.heard(inGroup(3), false);
    assert.deepEqual([told, ledger.metSince('g', asked), ledger.drop('g')], [[3], true, true]);
    ledger.fill('g', [inGroup(4)]);
    ledger.settle('g', 4);
    assert.deepEqual(told, [3], 'an answer about it that comes later is for nobody');
    const later = group(3, {read_seq: 3, group: {joined_at: 'then'}});
    ledger.meet(later);
    assert.equal(ledger.isOver(later), false);
    const {ledger: next} = ledgerAt(0);
    next.restore(JSON.parse(JSON.stringify(ledger.save())));
    for (const one of [ledger, next]) {
        one.drop('g', true);
        assert.deepEqual([one.isOver(later), one.isOver(group(9, {group: {joined_at: 'now'}}))], [true, false], 'of that membership, not of another');
    }
});

// ---- the outbox ----

function outboxWith(answers) {
    const sent = [];
    const told = [];
    const outbox = new Outbox({
        transmit: async (draft, apart) => {
            sent.push(apart ? `${draft.content} apart` : draft.content);
            const answer = answers(draft, sent.length);
            if (answer instanceof Problem)
                throw answer;
            return {message: {content: draft.content}, replayed: false};
        },
        store: async () => {}, backoff: {baseMs: 1, maxMs: 2},
        on: {queued: () => {}, acked: (a) => told.push(`ack ${a.message.content}`), refused: (r) => told.push(`${r.problem.code} ${r.draft.content}`)},
    });
    return {outbox, sent, told};
}
const draft = (content, to = 'bob') => ({to_user_id: to, message_type: 'text', content});

test('a send that fails for a while holds back those after it, and no other recipient', async () => {
    const {outbox, sent, told} = outboxWith((d, n) => d.to_user_id === 'bob' && n <= 4 ? new Problem('overloaded') : null);
    outbox.resume();
    const sendings = [outbox.add(draft('1')), outbox.add(draft('2')), outbox.add(draft('x', 'carol'))];
    await Promise.all(sendings.map((s) => s.done));
    assert.deepEqual(sent.filter((c) => c !== 'x'), [...'1'.repeat(sent.length - 2), '2']);
    assert.equal(told[0], 'ack x');
    assert.deepEqual(outbox.list(), []);
    assert.equal(new Set(sendings.map((s) => s.client_msg_id)).size, 3);
});

test('a refusal ends one message, not the next; what was taken back is never sent', async () => {
    const {outbox, sent, told} = outboxWith((d) => d.content === 'bad' ? new Problem('blocked', {status: 403}) : null);
    const bad = outbox.add(draft('bad'));
    const back = outbox.add(draft('back'));
    const good = outbox.add(draft('good'));
    assert.equal(outbox.cancel(back.client_msg_id), true);
    await assert.rejects(back.done, {code: 'cancelled'});
    outbox.resume();
    await assert.rejects(bad.done, {code: 'blocked'});
    assert.equal(outbox.cancel(good.client_msg_id), false, 'on its way already');
    await good.done;
    assert.deepEqual([sent, told], [['bad', 'good'], ['blocked bad', 'ack good']]);
});

test('a group is a recipient of its own, also where a user has a name like its id', async () => {
    const {outbox, sent} = outboxWith((d, n) => d.to_user_id === '17' && n <= 2 ? new Problem('overloaded') : null);
    const toGroup = (content) => ({conversation_id: '17', message_type: 'text', content});
    outbox.restore([{...toGroup('stored'), client_msg_id: 's'}]);
    const sendings = [outbox.add(draft('held back', '17')), outbox.add(toGroup('1')), outbox.add(toGroup('2'))];
    outbox.resume();
    await Promise.all(sendings.map((s) => s.done));
    assert.deepEqual(sent.filter((c) => c !== 'held back'), ['stored', '1', '2']);
    assert.deepEqual(outbox.list(), []);
});

test('offline it waits, a suspect goes apart, and a restored one goes first', async () => {
    const {outbox, sent} = outboxWith((d, n) => n === 1 ? new Problem('disconnected') : null);
    const later = outbox.add(draft('later'));
    await turn();
    assert.deepEqual(sent, []);
    outbox.restore([{...draft('earlier'), client_msg_id: 'e'}]);
    assert.deepEqual(outbox.list().map((d) => d.content), ['earlier', 'later']);
    outbox.resume();
    outbox.suspect();
    outbox.pause();
    await turn();
    assert.deepEqual(sent, ['earlier']);
    outbox.resume();
    await later.done;
    assert.deepEqual(sent, ['earlier', 'earlier apart', 'later']);
});

test('what a storage gives is used as far as it is what was stored', () => {
    const {outbox} = outboxWith(() => null);
    outbox.restore([null, 7, {}, {to_user_id: 'bob'}, {...draft('good'), client_msg_id: 'g'}]);
    assert.deepEqual(outbox.list().map((d) => d.content), ['good']);
    const {ledger} = ledgerAt(0);
    ledger.restore([null, 'x', ['d', 'bob', 'three', 0], ['e', 'bob', 3, 0]]);
    assert.deepEqual([ledger.seqOf('d'), ledger.seqOf('e')], [null, 3]);
});

test('a store that fails does not hold up what is sent', async () => {
    const outbox = new Outbox({transmit: async (d) => ({message: d, replayed: false}), store: () => Promise.reject(new Error('full')),
        backoff: {}, on: {queued: () => {}, acked: () => {}, refused: () => {}}});
    process.once('unhandledRejection', assert.fail);
    outbox.resume();
    assert.equal((await outbox.add(draft('sent all the same')).done).content, 'sent all the same');
    process.off('unhandledRejection', assert.fail);
});

// ---- the whole, without a server ----

const nowhere = {WebSocket: class {
    close() {}
    send() {}
}};

test('nothing waits for ever for a client that is closed', {timeout: 10000}, async () => {
    const never = new Promise(() => {});
    const client = new TidingsClient({url: 'http://127.0.0.1:9', getToken: () => never, ...nowhere});
    client.connect();
    const early = [client.ready(), client.send({to: 'bob', content: 'x'}).done, client.rest.me()];
    let within = null;
    client.on('state', ({state}) => {
        within = state === 'stopped' ? [client.ready(), client.send({to: 'bob', content: 'y'}).done] : null;
    });
    await client.close();
    const late = [client.ready(), client.send({to: 'bob', content: 'z'}).done, client.rest.me()];
    for (const [i, promise] of [...early, ...within, ...late].entries())
        await assert.rejects(promise, {code: 'disconnected', detail: 'The client was closed.'}, `promise ${i}`);
    assert.throws(() => client.connect(), {code: 'disconnected'});
    assert.equal(client.state, 'stopped');
    await client.close();
    const idle = new TidingsClient({url: 'http://127.0.0.1:9', token: 'x', ...nowhere});
    const waiting = idle.ready();
    await idle.close();
    await assert.rejects(waiting, {code: 'disconnected'});
});

test('a message goes to the user or the group that was named', async () => {
    const client = new TidingsClient({url: 'http://127.0.0.1:9', token: 'x', ...nowhere});
    client.send({conversation_id: '17179869190', content: 'x', mentions: ['bob']});
    client.send({to: 'bob', content: 'y', type: 'text'});
    const drafts = client.unsent.map(({client_msg_id, ...rest}) => rest);
    assert.deepEqual(drafts, [{conversation_id: '17179869190', content: 'x', mentions: ['bob'], message_type: 'text'},
        {to_user_id: 'bob', content: 'y', message_type: 'text'}]);
    assert.throws(() => client.send({content: 'to nobody'}), TypeError);
    await client.close();
});

// The documents of the API, as contrib/web/api.html reads them: not part of the package.
const api = JSON.parse(readFileSync(new URL('../../web/api.json', import.meta.url), 'utf8'));

test('every call about groups is one that the server has', async () => {
    const {paths} = api.openapi;
    const patterns = Object.keys(paths).map((path) => [path, new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)]);
    const called = new Set();
    const plainFetch = globalThis.fetch;
    globalThis.fetch = async (address, {method, body}) => {
        const {pathname} = new URL(address);
        const [path] = patterns.find(([template, pattern]) => pattern.test(pathname) && method.toLowerCase() in paths[template]) ?? assert.fail(`${method} ${pathname}`);
        const operation = paths[path][method.toLowerCase()];
        assert.equal(body !== undefined, operation.requestBody !== undefined, `a body of ${method} ${pathname}`);
        called.add(operation.operationId);
        return Response.json({items: [1, 2]});
    };
    const client = new TidingsClient({url: 'http://127.0.0.1:9', token: 'x', userId: 'me', ...nowhere});
    const {rest} = client;
    try {
        await rest.createGroup({name: 'g', user_ids: ['bob']});
        await rest.group('1');
        await rest.updateGroup('1', {about: null});
        await rest.dissolveGroup('1');
        await rest.members('1', {query: 'b', limit: 1});
        await rest.addMembers('1', ['bob']);
        await rest.updateMember('1', 'bob', {role: 'admin'});
        await rest.removeMember('1', 'bob', {ban: true});
        await rest.passOnGroup('1', 'bob');
        await rest.bans('1');
        await rest.liftBan('1', 'bob');
        await rest.createInvite('1');
        const codes = [];
        for await (const invite of rest.each(() => rest.invites('1')))
            codes.push(invite);
        assert.deepEqual(codes, [1, 2], 'a list without pages ends');
        await rest.revokeInvite('1', 'code');
        await rest.invite('code');
        await rest.acceptInvite('code');
        await rest.joinGroup('1');
        await rest.joinRequests('1');
        await rest.acceptMember('1', 'bob');
        await rest.declineMember('1', 'bob');
        await client.leave('1');
    } finally {
        globalThis.fetch = plainFetch;
        await client.close();
    }
    const all = Object.values(paths).flatMap((item) => Object.values(item)).filter((op) => op.tags?.[0] === 'Groups').map((op) => op.operationId);
    assert.deepEqual([...called].sort(), all.sort(), 'and all of them');
});

test('an address of the WebSocket is one of the server', async () => {
    const asked = [];
    const plainFetch = globalThis.fetch;
    globalThis.fetch = async (address) => (asked.push(address), new Response('{}'));
    const opened = [];
    const WebSocket = class extends nowhere.WebSocket {
        constructor(address) {
            super();
            opened.push(address);
        }
    };
    for (const [url, rest, socket] of [['ws://example.org:81/im/', 'http://example.org:81/im', 'ws://example.org:81/im'],
        ['wss://example.org', 'https://example.org', 'wss://example.org'], ['https://example.org', 'https://example.org', 'wss://example.org']]) {
        const client = new TidingsClient({url, token: 'x', WebSocket}).connect();
        await client.rest.me();
        await client.close();
        assert.deepEqual([asked.pop(), opened.pop()], [`${rest}/users/me`, `${socket}/messages/ws`]);
    }
    globalThis.fetch = plainFetch;
    for (const url of ['ftp://example.org', 'http://me:secret@example.org'])
        assert.throws(() => new TidingsClient({url, ...nowhere}), TypeError, url);
});

test('at the first connection the conversations of a page are told in one go', async () => {
    const pages = [['1', '2', '3'], ['4', '5']];
    const told = [[]];
    const rest = {
        sync: async () => ({cursor: 'c', conversations: [], more: false}),
        conversations: async ({cursor, archived}) => {
            const at = archived ? 1 : Number(cursor ?? 0);
            return {items: pages[at].map((id) => ({id: archived ? `a${id}` : id})), next_cursor: archived || at + 1 === pages.length ? null : String(at + 1)};
        },
    };
    const ledger = {moment: 0, isOver: ({id}) => id === '2', begin: () => {}, allBegun: () => {}, recent: () => [], wanting: () => []};
    const heard = ({id}) => {
        if (told.at(-1).length === 0)
            queueMicrotask(() => told.push([]));
        told.at(-1).push(id);
    };
    await new Promise((resolve) => {
        new CatchUp({rest, ledger, timing: {}, on: {conversation: heard, moved: () => {}, synced: resolve, error: assert.fail}}).start();
    });
    assert.deepEqual(told, [['a4', 'a5'], ['1', '3'], ['4', '5'], []]);
});

test('the last value is the one that is stored, and a fault of the storage is told', async () => {
    const written = [];
    const errors = [];
    const storage = {
        getItem: () => '{"broken',
        setItem: async (key, value) => {
            await turn();
            if (value === '"bad"')
                throw new Error('full');
            written.push(value);
        },
    };
    const slot = new Slot(storage, 'k', {onError: (e) => errors.push(e.message)});
    assert.equal(await slot.load(), null);
    const first = slot.save(() => 1);
    slot.save(() => 2);
    await first;
    slot.save(() => 'bad');
    await slot.flush();
    await slot.save(() => 3);
    assert.deepEqual([written.at(-1), written.includes('2'), errors.at(-1), errors.length], ['3', true, 'full', 2]);
});
