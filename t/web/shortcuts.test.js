// SPDX-License-Identifier: BSD-2-Clause
// Proves what the shortcuts for formatting become, that what is none stays text, that a formatted text is given back as
// one would have typed it, and that no text takes long or makes entities that a server refuses.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {fromShortcuts} = await import(`${process.env.TIDINGS_WEB}/js/shortcuts.js`);
const {isLiteral, toShortcuts} = await import(`${process.env.TIDINGS_WEB}/js/shortcuts_typed.js`);

// 'content | type:text type:text=more', in the order of the entities.
function said(text) {
    const {content, entities} = fromShortcuts(text);
    return [content, ...(entities ?? []).map(({type, offset, length, url, language}) =>
        `${type}:${content.slice(offset, offset + length)}${url || language ? `=${url ?? language}` : ''}`)];
}

test('each shortcut', () => {
    for (const [text, ...wanted] of [
        ['**b**', 'b', 'bold:b'], ['_i_', 'i', 'italic:i'], ['*i*', 'i', 'italic:i'], ['~~s~~', 's', 'strikethrough:s'],
        ['`c`', 'c', 'code:c'], ['||x||', 'x', 'spoiler:x'], ['> q', 'q', 'quote:q'], ['```p```', 'p', 'pre:p'],
        ['[t](https://a.org/)', 't', 'link:t=https://a.org/'], ['[t](mailto:a@b.org)', 't', 'link:t=mailto:a@b.org'],
        ['```js\nf();\n```', 'f();', 'pre:f();=js'], ['```\njs\n```', 'js', 'pre:js'], ['```a b\nc```', 'a b\nc', 'pre:a b\nc'],
        ['x\n> q\n> r\ny', 'x\nq\nr\ny', 'quote:q\nr'], ['a **b** c *d*', 'a b c d', 'bold:b', 'italic:d'],
        ['[a (b)](https://x.org/a_(b))', 'a (b)', 'link:a (b)=https://x.org/a_(b)'],
    ])
        assert.deepEqual(said(text), wanted, text);
});

test('one within another', () => {
    for (const [text, ...wanted] of [
        ['**a _b_ c**', 'a b c', 'bold:a b c', 'italic:b'], ['***a***', 'a', 'italic:a', 'bold:a'],
        ['***a** b*', 'a b', 'italic:a b', 'bold:a'], ['***a* b**', 'a b', 'bold:a b', 'italic:a'], ['**a *b***', 'a b', 'bold:a b', 'italic:b'],
        ['||a ~~b~~||', 'a b', 'spoiler:a b', 'strikethrough:b'], ['> **a**\n> b', 'a\nb', 'quote:a\nb', 'bold:a'],
        ['> **a\n> b**', 'a\nb', 'bold:a\nb', 'quote:a\nb'], ['[**t** u](https://a.org)', 't u', 'link:t u=https://a.org', 'bold:t'],
        ['**[t](https://a.org)**', 't', 'link:t=https://a.org', 'bold:t'], ['**`*c*`**', '*c*', 'code:*c*', 'bold:*c*'],
        ['```**p** `q` > r```', '**p** `q` > r', 'pre:**p** `q` > r'],
    ])
        assert.deepEqual(said(text).sort(), wanted.sort(), text);
});

test('of those that cross, the first that is closed counts', () => {
    for (const [text, ...wanted] of [
        ['**a _b** c_', 'a _b c_', 'bold:a _b'], ['_a **b_ c**', 'a **b c**', 'italic:a **b'], ['~~a ||b~~ c||', 'a ||b c||', 'strikethrough:a ||b'],
        ['**a\n> b**', '**a\nb**', 'quote:b**'], ['[a **b](https://a.org) c**', 'a **b c**', 'link:a **b=https://a.org'],
        ['*a `b* c`', '*a b* c', 'code:b* c'],
    ])
        assert.deepEqual(said(text), wanted, text);
});

test('what is no complete shortcut stays as it is', () => {
    for (const text of ['', '*', '**', '****', '``', '``````', '~~~~', '||||', '** a**', '**a **', '* a *', '2 * 3 * 4', '5*3*2', 'a_b_c', '_a_b', 'snake_case_name',
        '**a', 'a**', '~a~', '|a|', '__init__', '>q', '>:(', 'a > b', '> ', '> \n> ', '```', '```\n```', '`a\nb`', '[t]', '[t](', '[t](x)', '[t](ftp://a.org)', '[t](javascript:alert(1))',
        '[](https://a.org)', '[ ](https://a.org)', '[t](https://a b)', '[t] (https://a.org)', '[t](https://)', '[t](data:text/html,x)', 'C:\\*', '\\\\server\\share', 'a \\[b',
        'https://a.org/_b_/**c**', 'see https://a.org/*b*?_c_', `[t](https://a.org/${'x'.repeat(3000)})`])
        assert.deepEqual(fromShortcuts(text), {content: text, entities: null}, text);
});

test('a backslash makes a sign a letter, where it would be none', () => {
    for (const [text, ...wanted] of [
        ['\\*a\\*', '*a*'], ['\\*a*', '*a*'], ['\\**a*', '*a', 'italic:a'], ['\\\\*a*', '\\a', 'italic:a'], ['\\> q', '> q'], ['\\`a`', '`a`'],
        ['\\[t](https://a.org)', '[t](https://a.org)'], ['**a\\*\\*b**', 'a**b', 'bold:a**b'], ['\\```a```', '```a```'], ['**b** \\\\server', 'b \\\\server', 'bold:b'],
        ['`a\\`', 'a\\', 'code:a\\'], ['```\\```', '\\', 'pre:\\'],
    ])
        assert.deepEqual(said(text), wanted, text);
});

test('offsets count as the strings of JavaScript do, and scripts without spaces need none', () => {
    assert.deepEqual(fromShortcuts('🙂 **👩‍🚀** x *🙂*').entities, [{type: 'bold', offset: 3, length: 5}, {type: 'italic', offset: 11, length: 2}]);
    assert.deepEqual(said('你好*强调*世界'), ['你好强调世界', 'italic:强调']);
    assert.deepEqual(said('これは_とても_いい'), ['これはとてもいい', 'italic:とても']);
    assert.deepEqual(said('𠮷*𠮷*𠮷'), ['𠮷𠮷𠮷', 'italic:𠮷']);
});

test('a formatted text is given back as it was typed', () => {
    for (const text of ['plain', 'a_b 2 * 3', '**b** and *i* ~~s~~ ||x||', '> a\n> b\nc', '```js\nf();\n```\nend', '[t](https://a.org/)', '**a *b* c**', '\\*a\\*', '\\*a\\* **b**',
        '`a*b*`', '\\> no quote', '\\\\> x', 'https://a.org/_b_ *c*', '> ||x||', '**🙂**']) {
        const {content, entities} = fromShortcuts(text);
        assert.deepEqual(toShortcuts(content, entities), {text, kept: []}, text);
    }
    assert.equal(toShortcuts('a b', [{type: 'underline', offset: 0, length: 1}, {type: 'bold', offset: 2, length: 1}]).text, 'a **b**');
    assert.deepEqual(toShortcuts('a b', [{type: 'underline', offset: 0, length: 1}]).kept, [{type: 'underline', offset: 0, length: 1}], 'what no shortcut says is kept apart');
    assert.deepEqual(toShortcuts('ab', [{type: 'italic', offset: 0, length: 1}]).kept.length, 1, 'italic within a word likewise');
    assert.deepEqual(toShortcuts('**x**', null), {text: '\\*\\*x\\*\\*', kept: []}, 'signs that are text stay text');
});

// A generator of its own, so that a round that fails can be run again.
function randomOf(seed) {
    let state = seed;
    return (n) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * n);
    };
}

// As the server does.
function assertValid({content, entities}, about) {
    const list = entities ?? [];
    assert.ok(list.length <= 100, about);
    for (const [i, {offset, length}] of list.entries()) {
        assert.ok(length > 0 && offset >= 0 && offset + length <= content.length, about);
        for (const at of [offset, offset + length])
            assert.ok(!/[\ud800-\udbff][\udc00-\udfff]/.test(content.slice(at - 1, at + 1)), about);
        for (const before of list.slice(0, i)) {
            assert.ok(before.offset <= offset, about);
            assert.ok(before.offset === offset || before.offset + before.length <= offset || before.offset + before.length >= offset + length, about);
        }
    }
}

// Of two of one place either may be the outer one.
const inAnyOrder = ({content, entities}) => [content, ...(entities ?? []).map((e) => JSON.stringify([e.offset, e.length, e.type, e.url, e.language])).sort()];

test('any text: entities are valid, no letter is lost, and it can be edited without a change', () => {
    const seed = Number(process.env.TIDINGS_SEED || Date.now() % 1000000);
    const random = randomOf(seed);
    const pieces = ['*', '**', '***', '_', '~~', '||', '`', '```', '[', '](https://a.org)', '](', ')', '> ', '\n', '\n> ', '\\', ' ', 'a', 'b', 'ab', '🙂', '强', 'https://b.org/_c', '@ann'];
    for (let round = 0; round < 4000; round++) {
        const text = Array.from({length: random(18)}, () => pieces[random(pieces.length)]).join('');
        const about = `TIDINGS_SEED=${seed}: ${JSON.stringify(text)}`;
        const became = fromShortcuts(text);
        assertValid(became, about);
        const letters = (...all) => [...all.join('')].filter((c) => /[\p{L}🙂@]/u.test(c)).sort().join('');
        const told = (became.entities ?? []).flatMap(({url, language}) => [url ?? '', language ?? '']);
        assert.equal(letters(became.content, ...told), letters(text), about);
        const {text: again, kept} = toShortcuts(became.content, became.entities);
        const back = isLiteral(again, became.content) ? {content: again, entities: null} : fromShortcuts(again);
        assert.equal(back.content, became.content, about);
        assert.equal(kept.length + (back.entities?.length ?? 0), became.entities?.length ?? 0, about);
        if (kept.length === 0)
            assert.deepEqual(inAnyOrder(back), inAnyOrder(became), about);
    }
});

test('no text takes long', () => {
    const size = 16384;
    for (const piece of ['*', '**', '* ', '**a', '*a ', ' *a*', '_', '~~a', '||a', '`', '` ', '`a', '``a', '```', '```a', '\\```', '[', '](', '[a](', '[a](https://', '[](', '> ', '\n', '> \n', '> a\nb\n', '> a\n```b\n', '\\', '\\*', '\\\n> ', '***a', '***a** ',
        'https://', 'https://a.org/_', '**[a](https://a.org/)** ', '🙂', '**🙂*', 'a\n'.repeat(8) + '```', '||**~~_', '[**||']) {
        const text = piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
        const begun = process.cpuUsage();
        const became = fromShortcuts(text);
        toShortcuts(became.content, became.entities);
        const {user, system} = process.cpuUsage(begun);
        assert.ok((user + system) / 1e6 < 2, `${JSON.stringify(piece)} takes ${(user + system) / 1e3} ms`);
        assertValid(became, piece);
        assert.ok(JSON.stringify(became.entities ?? []).length <= 16384, piece);
    }
});
