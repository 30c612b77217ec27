// SPDX-License-Identifier: BSD-2-Clause
// Proves how formatting is read: the tree that is shown, whatever comes from outside; what a preview hides; which links are
// followed; and what becomes, when a text is edited, of formatting that the editor has no shortcut for.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {carriedOver, linkUrl, tree, unspoiled} = await import(`${process.env.TIDINGS_WEB}/js/formatting.js`);

const e = (type, offset, length, more) => ({type, offset, length, ...more});
const drawn = (parts) => parts.map((part) => (typeof part === 'string' ? part : `<${part.type}>${drawn(part.parts)}</>`)).join('');
const shown = (content, entities) => drawn(tree(content, entities));

test('the tree', () => {
    assert.equal(shown('plain', null), 'plain');
    assert.equal(shown('', null), '');
    assert.equal(shown('a bold b', [e('bold', 2, 4)]), 'a <bold>bold</> b');
    assert.equal(shown('abcdef', [e('bold', 0, 6), e('italic', 0, 2), e('code', 3, 1), e('spoiler', 4, 2)]), '<bold><italic>ab</>c<code>d</><spoiler>ef</></>');
    assert.equal(shown('abc', [e('bold', 0, 3), e('italic', 0, 3)]), '<bold><italic>abc</></>');
    assert.equal(shown('🙂🙂', [e('bold', 2, 2)]), '🙂<bold>🙂</>');
});

test('what does not fit is left out, and the text is whole', () => {
    for (const entities of [[e('bold', 2, 9)], [e('bold', -1, 2)], [e('bold', 0, 0)], [e('bold', 0.5, 1)], [e('bold', '0', 1)], [null], [7], 'x', {}, [e('bold', NaN, 1)]])
        assert.equal(shown('abc', entities), 'abc', JSON.stringify(entities));
    assert.equal(shown('abcdef', [e('bold', 0, 4), e('italic', 2, 4)]), '<bold>abcd</>ef', 'one that crosses');
    assert.equal(shown('abcdef', [e('bold', 3, 2), e('italic', 0, 2)]), 'abc<bold>de</>f', 'one out of order');
    assert.equal(shown('abc', Array.from({length: 50}, () => e('bold', 0, 3))).replaceAll(/<bold>|<\/>/g, ''), 'abc');
});

test('a preview does not show what is hidden', () => {
    assert.equal(unspoiled('it was the butler!', [e('bold', 0, 2), e('spoiler', 7, 10, {}), e('italic', 11, 6)], '[…]'), 'it was […]!');
    assert.equal(unspoiled('secret', [e('bold', 0, 6), e('spoiler', 0, 6)], '[…]'), '[…]');
    assert.equal(unspoiled('open', null, '[…]'), 'open');
});

test('which links are followed', () => {
    for (const [url, wanted] of [['https://a.org', 'https://a.org/'], ['HTTP://A.org/x', 'http://a.org/x'], ['mailto:a@b.org', 'mailto:a@b.org']])
        assert.equal(linkUrl(url), wanted, url);
    for (const url of ['javascript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'ftp://a.org', '//a.org', 'a.org', '', 'https:a.org', 'https:///a.org', 'https://', 'mailto:', 'vbscript:x',
        `https://a.org/${'é'.repeat(1100)}`])
        assert.equal(linkUrl(url), null, url);
});

test('an edit keeps what it cannot say, where the text is as it was', () => {
    const kept = [e('underline', 0, 3), e('mention', 8, 3, {user_id: 'ben'})];
    const carried = (content, entities = null) => carriedOver('abc def @be', kept, {content, entities}).entities;
    assert.deepEqual(carried('abc def @be'), kept);
    assert.deepEqual(carried('abc XYZW def @be'), [kept[0], {...kept[1], offset: 13}], 'what follows is moved');
    assert.deepEqual(carried('abX def @be'), [kept[1]], 'what was changed is not kept');
    assert.deepEqual(carried('abc'), [kept[0]]);
    assert.equal(carried('quite another'), null);
    assert.deepEqual(carried('abc def @be', [e('bold', 2, 4)]), [e('bold', 2, 4), kept[1]], 'nor what would cross another');
    assert.deepEqual(carried('abc def @be', [e('bold', 0, 11)]).map(({type}) => type), ['bold', 'underline', 'mention']);
    assert.equal(carriedOver('aaa', [e('underline', 1, 1)], {content: 'aa', entities: null}).entities.length, 1);
});
