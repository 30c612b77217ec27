// SPDX-License-Identifier: BSD-2-Clause
// What this browser is called in the list of the user's logins: "Firefox on Linux". Names only; no version tells more than
// it has to.

// The first that fits: many browsers name others, too.
const BROWSERS = [['Edg', 'Edge'], ['OPR', 'Opera'], ['SamsungBrowser', 'Samsung Internet'], ['Vivaldi', 'Vivaldi'], ['MicroMessenger', 'WeChat'],
    ['Firefox', 'Firefox'], ['FxiOS', 'Firefox'], ['CriOS', 'Chrome'], ['HeadlessChrome', 'Chrome'], ['Chrome', 'Chrome'], ['Safari', 'Safari']];
const SYSTEMS = [['Windows', 'Windows'], ['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['CrOS', 'ChromeOS'], ['Mac OS X', 'macOS'], ['Linux', 'Linux']];

function nameIn(userAgent, names) {
    return names.find(([mark]) => userAgent.includes(mark))?.[1] ?? null;
}

// An iPad says that it is a Mac, but no Mac has a touch screen.
export function deviceLabel({userAgent, maxTouchPoints = 0} = navigator) {
    const browser = nameIn(userAgent, BROWSERS) ?? 'Browser';
    const system = nameIn(userAgent, SYSTEMS);
    const place = system === 'macOS' && maxTouchPoints > 1 ? 'iPad' : system;
    return place === null ? browser : `${browser} on ${place}`;
}

// Of a label that anyone may have chosen.
export function isHandheld(label) {
    return /\b(Android|iPhone|iPad|iOS|mobile|phone)\b/i.test(label ?? '');
}
