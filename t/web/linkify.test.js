// SPDX-License-Identifier: BSD-2-Clause
// Proves which part of a text is a web address, and that a link says where it leads.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {linkify} = await import(`${process.env.TIDINGS_WEB}/js/linkify.js`);

const links = (text) => linkify(text).filter((part) => typeof part !== 'string').map((part) => part.text);
const hosts = (text) => linkify(text).filter((part) => typeof part !== 'string').map(({url, host}) => [new URL(url).hostname, host]);

test('the parts are the text', () => {
    for (const text of ['', 'no link', 'https://a.org', 'x https://a.org y https://b.org/z.', '看https://a.org/b，好', 'http://', 'https://：', 'https://a.org😀'])
        assert.equal(linkify(text).map((part) => part.text ?? part).join(''), text);
});

test('an address ends where the text goes on', () => {
    for (const [text, ...wanted] of [
        ['see https://example.org.', 'https://example.org'],
        ['https://example.org/a?b=c&d=e#f, and', 'https://example.org/a?b=c&d=e#f'],
        ['看https://example.com很好', 'https://example.com'],
        ['看https://example.com/a/b这个链接', 'https://example.com/a/b'],
        ['https://example.com。谢谢', 'https://example.com'],
        ['https://example.com.谢谢', 'https://example.com'],
        ['https://example.com，https://example.net/x；', 'https://example.com', 'https://example.net/x'],
        ['（https://example.com/a）', 'https://example.com/a'],
        ['「https://example.com/a」', 'https://example.com/a'],
        ['https://example.com/aです', 'https://example.com/a'],
        ['https://example.com입니다', 'https://example.com'],
        ['https://example.comครับ', 'https://example.com'],
        ['https://example.com：8080', 'https://example.com'],
        ['https://example.com！', 'https://example.com'],
        ['“https://example.com/a”', 'https://example.com/a'],
        ['https://example.com/a——好', 'https://example.com/a'],
        ['https://example.com/a…', 'https://example.com/a'],
        ['https://example.com:8080/路径', 'https://example.com:8080/'],
        ['https://example.com/a\u202egpj.exe', 'https://example.com/a'],
        ['https://example.com\u200bevil.org', 'https://example.com'],
        ['<https://example.com/a>', 'https://example.com/a'],
        ['"https://example.com/a"', 'https://example.com/a'],
        ['xhttps://example.com', ...[]],
        ['HTTPS://EXAMPLE.COM/A', 'HTTPS://EXAMPLE.COM/A'],
        ['http://127.0.0.1:8080/x', 'http://127.0.0.1:8080/x'],
        ['http://[::1]:8080/x', 'http://[::1]:8080/x'],
        ['https://', ...[]], ['https://.', ...[]], ['https:///x', ...[]], ['https://a b', 'https://a'],
        ['javascript:alert(1)', ...[]],
    ])
        assert.deepEqual(links(text), wanted, text);
});

test('brackets belong to it in pairs', () => {
    for (const [text, wanted] of [
        ['https://en.wikipedia.org/wiki/Rust_(language)', 'https://en.wikipedia.org/wiki/Rust_(language)'],
        ['(https://en.wikipedia.org/wiki/Rust_(language))', 'https://en.wikipedia.org/wiki/Rust_(language)'],
        ['(see https://en.wikipedia.org/wiki/Rust_(language)).', 'https://en.wikipedia.org/wiki/Rust_(language)'],
        ['(https://example.org/a)', 'https://example.org/a'],
        ['[https://example.org/a](x)', 'https://example.org/a'],
        ['https://example.org/a[1]', 'https://example.org/a[1]'],
        ['https://example.org(see there)', 'https://example.org'],
        ['https://example.org/a(', 'https://example.org/a'],
    ])
        assert.deepEqual(links(text), [wanted], text);
});

test('a host of other letters is one, and is told as it is', () => {
    assert.deepEqual(hosts('https://münchen.de/x'), [['xn--mnchen-3ya.de', 'xn--mnchen-3ya.de']]);
    assert.deepEqual(links('去https://例子.测试/路径'), ['https://例子.测试/']);
    assert.deepEqual(hosts('去https://例子.测试/路径'), [['xn--fsqu00a.xn--0zwm56d', 'xn--fsqu00a.xn--0zwm56d']]);
    assert.deepEqual(links('https://例子.com很好'), ['https://例子.com']);
    assert.deepEqual(hosts('https://аррӏе.com'), [['xn--80ak6aa92e.com', 'xn--80ak6aa92e.com']]);
    assert.deepEqual(hosts('https://google.com@evil.example/'), [['evil.example', 'evil.example']]);
    assert.deepEqual(hosts('https://2130706433/'), [['127.0.0.1', '127.0.0.1']]);
    assert.deepEqual(hosts('https://Example.org:443/'), [['example.org', null]]);
    assert.deepEqual(hosts('http://example.org:8080'), [['example.org', null]]);
});

test('a long text takes no long time', () => {
    for (const text of ['https://:'.repeat(1800), 'https://a('.repeat(1600), '('.repeat(16000), `https://a/${'('.repeat(16000)}`, '看'.repeat(16000)]) {
        const begun = performance.now();
        linkify(text);
        assert.ok(performance.now() - begun < 5000, text.slice(0, 20));
    }
});
