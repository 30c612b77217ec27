// SPDX-License-Identifier: BSD-2-Clause
// Proves how a day is found in a conversation: the first message of it, with deleted ones between and many of one moment,
// by few reads; and dates as an input field has them.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {beginOfDay, dateOf, firstSince} = await import(`${process.env.TIDINGS_WEB}/js/day_search.js`);

const HOUR = 3600000;

// Messages at these times, in hours; null: deleted.
function conversation(times) {
    const messages = times.map((time, i) => time !== null && {seq: i + 1, created_at: new Date(time * HOUR).toISOString()}).filter(Boolean);
    const reads = [];
    const read = async (after) => {
        reads.push(after);
        return messages.find(({seq}) => seq > after) ?? null;
    };
    const find = async (hour, first = 1, last = times.length) => (await firstSince(read, first, last, hour * HOUR))?.seq ?? null;
    return {find, reads, messages};
}

test('the first one since', async () => {
    const {find} = conversation([1, 2, 2, 2, 5, 9]);
    for (const [hour, seq] of [[0, 1], [1, 1], [2, 2], [3, 5], [5, 5], [6, 6], [9, 6], [10, null], [-Infinity, 1]])
        assert.equal(await find(hour), seq, `hour ${hour}`);
});

test('nothing there, or all deleted', async () => {
    assert.equal(await conversation([]).find(0), null);
    assert.equal(await conversation([null, null]).find(0), null);
    assert.equal(await conversation([1, null, null]).find(2), null);
});

test('whatever is deleted, as a look at all of them finds it', async () => {
    let random = 7;
    const next = (n) => (random = (random * 1103515245 + 12345) % 2147483648) % n;
    for (let round = 0; round < 300; round++) {
        let time = 0;
        const times = Array.from({length: next(40)}, () => (next(3) === 0 ? null : time += next(3)));
        const {find, messages} = conversation(times);
        for (let hour = 0; hour <= time + 1; hour++) {
            const expected = messages.find(({created_at}) => Date.parse(created_at) >= hour * HOUR)?.seq ?? null;
            assert.equal(await find(hour), expected, JSON.stringify({times, hour}));
        }
    }
});

test('by few reads', async () => {
    const {find, reads} = conversation(Array.from({length: 100000}, (_, i) => i));
    assert.equal(await find(77777), 77778);
    assert.ok(reads.length <= 17, `${reads.length} reads`);
    reads.length = 0;
    assert.equal(await find(5, 50001), 50001, 'not before what the user may see');
    assert.ok(reads.every((after) => after >= 50000));
});

test('dates', () => {
    assert.equal(dateOf(beginOfDay('2026-03-29')), '2026-03-29');
    assert.equal(new Date(beginOfDay('2026-03-29')).getHours(), 0);
    assert.equal(dateOf(new Date(2026, 0, 5, 23, 59)), '2026-01-05');
    assert.equal(beginOfDay(''), null);
    assert.equal(beginOfDay('yesterday'), null);
});
