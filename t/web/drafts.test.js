// SPDX-License-Identifier: BSD-2-Clause
// Proves how drafts get to the server: after a pause, now and then while one goes on, at once when one leaves or sends, one
// at a time, again after a failure; and whose draft stays when two devices have one.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {DraftSync, storedDraft, takesTheirs} = await import(`${process.env.TIDINGS_WEB}/js/draft_sync.js`);

const settled = async () => {
    for (let i = 0; i < 10; i++)
        await Promise.resolve();
};

// A server that answers when it is told to.
function begin({failing = null} = {}) {
    const c = {gone: null, settings: {draft: null}};
    const puts = [], waiting = [];
    const server = {failing, holding: false};
    const sync = new DraftSync(async (conversation, draft) => {
        puts.push(draft);
        if (server.holding)
            await new Promise((resolve) => waiting.push(resolve));
        if (server.failing)
            throw server.failing;
        conversation.settings = {...conversation.settings, draft};
    });
    return {c, puts, server, sync, answer: () => waiting.splice(0).forEach((resolve) => resolve())};
}

// A clock that is moved by hand.
const clock = {at: 0, timers: new Map(), count: 0};

async function pass(ms) {
    const until = clock.at + ms;
    for (;;) {
        const [id, timer] = [...clock.timers].filter(([, {at}]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0] ?? [null];
        if (id === null)
            break;
        clock.at = timer.at;
        clock.timers.delete(id);
        timer.run();
        await settled();
    }
    clock.at = until;
    await settled();
}

function withTimers(name, run) {
    test(name, async () => {
        const {setTimeout, clearTimeout} = globalThis, {now} = Date;
        globalThis.setTimeout = (action, ms) => {
            clock.timers.set(++clock.count, {at: clock.at + ms, run: action});
            return clock.count;
        };
        globalThis.clearTimeout = (id) => clock.timers.delete(id);
        Date.now = () => clock.at;
        try {
            await run();
        } finally {
            Object.assign(globalThis, {setTimeout, clearTimeout});
            Date.now = now;
            clock.timers.clear();
        }
    });
}

withTimers('after a pause, and now and then while one goes on writing', async () => {
    const {c, puts, sync} = begin();
    for (let i = 1; i <= 25; i++) {
        sync.changed(c, 'x'.repeat(i));
        await pass(1000);
    }
    assert.ok(puts.length >= 2 && puts.length <= 3, `${puts.length} times in 25 s`);
    await pass(1500);
    assert.equal(puts.at(-1), 'x'.repeat(25));
    assert.equal(sync.isWaiting(c), false);
    const {length} = puts;
    sync.changed(c, 'x'.repeat(25));
    await pass(20000);
    assert.equal(puts.length, length, 'what it has it is not told again');
});

withTimers('at once when one leaves, or the text is sent', async () => {
    const {c, puts, sync} = begin();
    sync.changed(c, 'hello');
    sync.flush(c);
    await settled();
    assert.deepEqual(puts, ['hello']);
    sync.changed(c, '');
    await pass(0);
    assert.deepEqual(puts, ['hello', null]);
    sync.changed(c, 'quick');
    sync.changed(c, '');
    await pass(5000);
    assert.deepEqual(puts, ['hello', null], 'what was sent before the pause it never heard of');
});

withTimers('one at a time', async () => {
    const {c, puts, server, sync, answer} = begin();
    server.holding = true;
    sync.changed(c, 'a');
    await pass(1500);
    sync.changed(c, 'ab');
    await pass(1500);
    sync.flush(c);
    await settled();
    assert.deepEqual(puts, ['a']);
    answer();
    await settled();
    await pass(1500);
    assert.deepEqual(puts, ['a', 'ab']);
    answer();
    await settled();
    assert.equal(sync.isWaiting(c), false);
});

withTimers('again after a failure that passes, not after another', async () => {
    const {c, puts, server, sync} = begin({failing: {transient: true}});
    sync.changed(c, 'a');
    await pass(60000);
    assert.deepEqual([puts, sync.isWaiting(c)], [['a'], true]);
    server.failing = null;
    sync.retry();
    await settled();
    assert.deepEqual([puts, sync.isWaiting(c)], [['a', 'a'], false]);
    server.failing = {transient: false};
    sync.changed(c, 'b');
    await pass(1500);
    assert.equal(sync.isWaiting(c), false);
});

test('what is too long, or blank, is none for the server', () => {
    assert.equal(storedDraft('  \n'), null);
    assert.equal(storedDraft(' a '), ' a ');
    assert.equal(storedDraft('字'.repeat(1365)), '字'.repeat(1365));
    assert.equal(storedDraft('字'.repeat(1366)), null);
});

test('whose draft stays', () => {
    assert.equal(takesTheirs('', '', 'theirs'), true);
    assert.equal(takesTheirs('old', 'old', 'theirs'), true);
    assert.equal(takesTheirs('old', 'old', ''), true, 'sent elsewhere');
    assert.equal(takesTheirs('mine', 'old', 'theirs'), false, 'what was written here and not stored yet');
    assert.equal(takesTheirs('mine', '', ''), false);
    assert.equal(takesTheirs('same', 'old', 'same'), false, 'nothing to take');
});
