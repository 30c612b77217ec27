// SPDX-License-Identifier: BSD-2-Clause
// Proves how names are found by a few letters, which of them are marked, and whom the quick switcher offers first.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
Object.defineProperty(globalThis, 'navigator', {value: {languages: ['en']}, configurable: true});
const {fuzzyMatch} = await import(`${process.env.TIDINGS_WEB}/js/fuzzy.js`);
const {candidates, ranked} = await import(`${process.env.TIDINGS_WEB}/js/switcher_rank.js`);

const partsOf = (query, text) => fuzzyMatch(query, text)?.ranges.map(([from, to]) => text.slice(from, to)) ?? null;

test('by letters in order', () => {
    assert.deepEqual(partsOf('ben', 'Ben Miller'), ['Ben']);
    assert.deepEqual(partsOf('mil', 'Ben Miller'), ['Mil']);
    assert.deepEqual(partsOf('bmi', 'Ben Miller'), ['B', 'Mi']);
    assert.deepEqual(partsOf('miller ben', 'Ben Miller'), ['Ben', 'Miller']);
    assert.equal(partsOf('bex', 'Ben Miller'), null);
    assert.equal(partsOf('ben cat', 'Ben Miller'), null, 'every word has to be there');
    assert.deepEqual(partsOf('', 'Ben'), [], 'nothing fits everything');
});

test('whatever the case, width and accents', () => {
    assert.deepEqual(partsOf('ÉLODIE', 'élodie'), ['élodie']);
    assert.deepEqual(partsOf('elo', 'Élodie'), ['Élo']);
    assert.deepEqual(partsOf('abc', 'ＡＢＣ'), ['ＡＢＣ']);
    assert.deepEqual(partsOf('李', '王小李'), ['李']);
    assert.deepEqual(partsOf('fi', 'ﬁnch'), ['ﬁ'], 'one letter that stands for two');
    assert.deepEqual(partsOf('cat', '😀 cat 😀'), ['cat']);
    assert.deepEqual(partsOf('e', 'e\u0301x'), ['e\u0301'], 'a mark goes with its letter');
});

test('a beginning before what is within, together before scattered', () => {
    const score = (text) => fuzzyMatch('ann', text).score;
    const texts = ['ann', 'Anna', 'Mary Ann', 'Hannah', 'a new name'];
    assert.deepEqual([...texts].sort((a, b) => score(b) - score(a)), texts);
});

function conversation(id, name, time, more = {}) {
    return {key: id, isGroup: false, peer: {user_id: id}, group: null, unread: 0, sortTime: time, name, ...more};
}

// friends: in the order of their names
function chatOf(all, friends) {
    return {conversations: {all: () => [...all]}, title: ({name}) => name,
        people: {friends: new Map(friends.map((user_id) => [user_id, {user: {user_id, nickname: null}}]))}};
}

test('the quick switcher: the latest first, friends too, not what is open', () => {
    const chat = chatOf([conversation('ben', 'Ben', '2026-01-02'), conversation('cat', 'Cat', '2026-01-03'),
        {...conversation('g/1', 'Walkers', '2026-01-01'), isGroup: true, peer: null, group: {}}], ['abe', 'ben', 'dan']);
    const keys = (query, current = null) => ranked(candidates(chat), query, current).map(({key}) => key);
    assert.deepEqual(keys(''), ['cat', 'ben', 'g/1', 'abe', 'dan']);
    assert.deepEqual(keys(' ', 'cat'), ['ben', 'g/1', 'abe', 'dan']);
    assert.deepEqual(keys('a'), ['abe', 'cat', 'g/1', 'dan'], 'a beginning first, then the latest');
    assert.deepEqual(keys('walk', 'g/1'), ['g/1'], 'asked for, what is open is there too');
});

test('by the id, a little after the name', () => {
    const chat = chatOf([conversation('miller', 'Ben', '2026-01-03'), conversation('b', 'Miller', '2026-01-02')], []);
    const found = ranked(candidates(chat), 'mill', null);
    assert.deepEqual(found.map(({key}) => key), ['b', 'miller']);
    assert.deepEqual(found[1].idRanges, [[0, 4]]);
});
