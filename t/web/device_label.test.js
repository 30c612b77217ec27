// SPDX-License-Identifier: BSD-2-Clause
// Proves what a browser is called in the list of logins.
import assert from 'node:assert/strict';
import {test} from 'node:test';

const {deviceLabel, isHandheld} = await import(`${process.env.TIDINGS_WEB}/js/device_label.js`);

test('the label of a browser', () => {
    const labels = [
        ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox on Linux'],
        ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0', 'Edge on Windows'],
        ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36', 'Chrome on Linux'],
        ['Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36', 'Chrome on Android'],
        ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
        ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/128.0 Mobile/15E148 Safari/605.1.15', 'Firefox on iPhone'],
        ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15', 'Safari on macOS'],
        ['curl/8.0', 'Browser'],
    ];
    for (const [userAgent, label] of labels)
        assert.equal(deviceLabel({userAgent}), label);
    assert.equal(deviceLabel({userAgent: labels[6][0], maxTouchPoints: 5}), 'Safari on iPad');
    assert.deepEqual(['Safari on iPhone', 'Chrome on Android', 'Firefox on Linux', null].map(isHandheld), [true, true, false, false]);
});
