// SPDX-License-Identifier: BSD-2-Clause
// Proves what is shown of a message that was found: the part around the words, in one line, no letter cut, nothing of what
// is hidden; and that a server's ranges are taken as far as they make sense.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {rangesOf, snippetOf} = await import(`${process.env.TIDINGS_WEB}/js/snippet.js`);

const find = (text, ...words) => words.map((word) => [text.indexOf(word), word.length]);
const shown = (text, words, entities = null) => {
    const {text: line, ranges} = snippetOf(text, entities, find(text, ...words));
    return [line, ranges.map(([from, to]) => line.slice(from, to))];
};

test('a short message is shown whole', () => {
    assert.deepEqual(shown('The station is closed', ['station']), ['The station is closed', ['station']]);
    assert.deepEqual(shown('a\nb\tstation', ['b', 'station']), ['a b station', ['b', 'station']], 'in one line');
    assert.deepEqual(snippetOf('', null, []), {text: '', ranges: []});
});

test('of a long one the part around what was found', () => {
    const text = `${'many words before it '.repeat(20)}the station ${'and after it '.repeat(40)}`;
    const [line, marks] = shown(text, ['station']);
    assert.deepEqual(marks, ['station']);
    assert.match(line, /^…(many|words|before|it|the) .*station and after .*…$/);
    assert.ok(line.length < 150);
    const [none] = [snippetOf(text, null, []).text];
    assert.match(none, /^many words .*…$/, 'from its beginning, where only a file name fits');
});

test('Chinese has no words to begin at', () => {
    const text = '我们明天早上八点在火车站的东边入口见面然后一起去爬山记得带水和面包还有雨伞因为天气预报说下午可能会下雨';
    const [line, marks] = shown(text, ['雨伞']);
    assert.deepEqual(marks, ['雨伞']);
    assert.ok(line.startsWith('…') && line.endsWith('下雨'));
});

test('no letter is cut', () => {
    for (let n = 0; n < 40; n++) {
        const text = `${'😀'.repeat(30)}${'e\u0301'.repeat(n)}👩‍👩‍👧station${'👍🏽'.repeat(100)}`;
        const [line, marks] = shown(text, ['station']);
        assert.deepEqual(marks, ['station']);
        assert.ok(line.isWellFormed?.() ?? true, line);
        assert.doesNotMatch(line.replace(/^…/, ''), /^[\p{M}\u200d\u{1f3fb}-\u{1f3ff}]/u, line);
    }
});

test('what is hidden stays so', () => {
    const text = 'the gardener did it (book)';
    const spoiler = [{type: 'spoiler', offset: 4, length: 8}];
    const [line, marks] = shown(text, ['gardener', 'book'], spoiler);
    assert.ok(!line.includes('gardener') && line.includes('▒'));
    assert.deepEqual(marks, ['book']);
    assert.equal(line.length, text.length, 'what comes after it is marked where it is');
});

test('what reorders text is not shown', () => {
    assert.equal(shown('abc\u202edef station', ['station'])[0], 'abc\u200bdef station');
});

test('ranges as they make sense', () => {
    assert.deepEqual(rangesOf([[4, 2], [0, 3], [2, 3]], 100), [[0, 3], [3, 5], [5, 6]], 'sorted, none within another');
    assert.deepEqual(rangesOf([[0, 500], [50, 0], [200, 3]], 100), [[0, 100]], 'not beyond the text');
    assert.deepEqual(rangesOf(null, 100), []);
    assert.deepEqual(rangesOf([['0', 3], [1.5, 2], 'x', null], 100), []);
});
