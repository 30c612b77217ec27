// SPDX-License-Identifier: BSD-2-Clause
// Proves what the chat page says when something fails: whole sentences, in both languages, that name no field or code of
// the API where the page knows better.
import assert from 'node:assert/strict';
import {test} from 'node:test';

globalThis.document = {documentElement: {}};
const CODES = ['not_friends', 'blocked', 'forbidden', 'rate_limited', 'payload_too_large', 'disconnected', 'timeout', 'unavailable',
    'overloaded', 'conflict', 'not_found', 'never_heard_of'];
const FIELDS = ['user_id', 'password', 'nickname', 'avatar_url', 'media_url', 'content', 'note', 'entities'];

for (const [language, end] of [['en', /^[A-Z][^\n]*\.$/], ['zh', /。$/]]) {
    Object.defineProperty(globalThis, 'navigator', {value: {languages: [language]}, configurable: true});
    const {reasonOf, t} = await import(`${process.env.TIDINGS_WEB}/js/i18n.js?${language}`);

    test(`${language}: reasons are sentences`, () => {
        for (const code of CODES)
            assert.match(reasonOf({code, detail: null}), end, code);
        assert.match(reasonOf({code: 'invalid_argument', detail: 'cursor: is not a cursor of this server'}), end);
        assert.match(reasonOf({code: 'invalid_argument', detail: null}), end);
        assert.match(t('message.failedBecause', {reason: reasonOf({code: 'blocked'})}), end);
    });

    test(`${language}: a field is named in words`, () => {
        for (const field of FIELDS) {
            const reason = reasonOf({code: 'invalid_argument', detail: `${field}: must be something else`});
            assert.match(reason, end, field);
            assert.ok(!reason.includes('must be') && !/[a-z]_[a-z]/.test(reason), reason);
        }
    });
}
