// SPDX-License-Identifier: BSD-2-Clause
// Proves mentions on the chat page: when one is being typed, who is offered, what the text becomes, whom it mentions when
// it is sent, and where it says so when it is read.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {EVERYONE, completed, labelsOf, matching, mentionAt, mentionsIn, mentionsUser, spansOfMentions} =
    await import(`${process.env.TIDINGS_WEB}/js/mention.js`);

const PEOPLE = [{id: 'ann', name: 'Ann Lee'}, {id: 'ben', name: 'Ben'}, {id: 'ben.smith', name: 'Ben Smith'}, {id: 'mei', name: '林梅'},
    {id: 'u7', name: 'Sam'}, {id: 'u8', name: 'Sam'}];
const all = labelsOf(PEOPLE, new Map(), true);

test('where a mention is being typed', () => {
    const query = (text) => mentionAt(text, text.length)?.query ?? null;
    for (const [text, wanted] of [['@', ''], ['@b', 'b'], ['hi @be', 'be'], ['你好@林', '林'], ['(@be', 'be'], ['\n@be', 'be'], ['@@be', 'be'],
        ['', null], ['hi', null], ['@be ', null], ['ann@b', null], ['a.b@c', null], ['7@b', null], [`@${'x'.repeat(70)}`, null]])
        assert.equal(query(text), wanted, text);
    assert.deepEqual(mentionAt('see @be there', 7), {from: 4, query: 'be'}, 'the caret counts');
    assert.equal(mentionAt('see @be there', 4), null);
});

test('who is offered', () => {
    const ids = (query, count = 8) => matching(query, PEOPLE, count).map(({id}) => id);
    assert.deepEqual(ids('be'), ['ben', 'ben.smith']);
    assert.deepEqual(ids('LEE'), ['ann'], 'a later word of the name');
    assert.deepEqual(ids('smi'), ['ben.smith']);
    assert.deepEqual(ids('梅'), ['mei'], 'within a name');
    assert.deepEqual(ids('u8'), ['u8'], 'by the id');
    assert.deepEqual(ids('x'), []);
    assert.equal(ids('', 3).length, 3);
});

test('what the text becomes', () => {
    const complete = (text, caret, label) => {
        const done = completed(text, mentionAt(text, caret), label);
        return `${done.text.slice(0, done.caret)}|${done.text.slice(done.caret)}`;
    };
    assert.equal(complete('@be', 3, 'Ben'), '@Ben |');
    assert.equal(complete('hi @be there', 6, 'Ben Smith'), 'hi @Ben Smith |there');
    assert.equal(complete('好@林好', 3, '林梅'), '好@林梅 |好');
});

test('whom a text mentions', () => {
    for (const [text, wanted] of [['', []], ['@Ben', ['ben']], ['@ben', ['ben']], ['@Ben Smith, hi', ['ben.smith']], ['@Ben.', ['ben']], ['@Benny', []], ['@ben_', []],
        ['@Ben, @林梅你好 @Ann Lee', ['ben', 'mei', 'ann']], ['x@Ben', []], ['@Sam', []], ['@u7 and @u7', ['u7']], ['@everyone', [EVERYONE]], ['@所有人 @Ben', [EVERYONE]],
        ['@Ben!', ['ben']], ['(@Ben)', ['ben']], ['@@Ben', ['ben']], ['@', []]])
        assert.deepEqual(mentionsIn(text, all), wanted, text);
    assert.deepEqual(mentionsIn('@Sam', labelsOf(PEOPLE, new Map([['Sam', 'u8']]), true)), ['u8'], 'the one who was picked');
    assert.deepEqual(mentionsIn('@everyone', labelsOf(PEOPLE, new Map(), false)), [], 'where it is allowed only');
    assert.deepEqual(mentionsIn('@all', labelsOf([{id: 'all', name: 'All'}], new Map(), true)), ['all'], 'a user of that id comes first');
    const many = Array.from({length: 60}, (_, i) => ({id: `m${i}`, name: `M ${i}`}));
    assert.equal(mentionsIn(many.map(({name}) => `@${name}`).join(' '), labelsOf(many, new Map(), false)).length, 50);
});

test('where a text says so', () => {
    const names = {ben: 'Ben', mei: '林梅', gone: 'Gone'};
    const parts = (text, mentions) => spansOfMentions(text, mentions.map((id) => ({id, name: names[id] ?? ''}))).map(({from, to, id}) => [text.slice(from, to), id]);
    assert.deepEqual(parts('hi @Ben and @林梅！', ['ben', 'mei']), [['@Ben', 'ben'], ['@林梅', 'mei']]);
    assert.deepEqual(parts('hi @Ben', ['mei']), [], 'what the message does not mention is text');
    assert.deepEqual(parts('@all: @Ben', [EVERYONE]), [['@all', EVERYONE]]);
});

test('whether it is oneself', () => {
    assert.deepEqual([[['ann']], [[EVERYONE]], [['ben']], [[]], [undefined], [['ann'], true]].map(([mentions, is_recalled = false]) =>
        mentionsUser({mentions, is_recalled}, 'ann')), [true, true, false, false, false, false]);
});

test('a long text takes no long time', () => {
    const many = Array.from({length: 500}, (_, i) => ({id: `m${i}`, name: `M ${i}`}));
    const begun = performance.now();
    mentionsIn('@'.repeat(16000), labelsOf(many, new Map(), true));
    mentionsIn('@M 4 '.repeat(3000), labelsOf(many, new Map(), true));
    assert.ok(performance.now() - begun < 20000);
});
