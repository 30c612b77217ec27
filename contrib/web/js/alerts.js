// SPDX-License-Identifier: BSD-2-Clause
// Telling a user who looks elsewhere: notifications of the browser, if they asked for them, and the page's title.
import {t} from './i18n.js';

const KEY = 'tidings-web:alerts';

const supported = () => 'Notification' in globalThis;

// False where the user or the browser has said no.
export function alertsAllowed() {
    return supported() && Notification.permission !== 'denied';
}

export function alertsWanted() {
    return supported() && Notification.permission === 'granted' && localStorage.getItem(KEY) === 'yes';
}

// Asks the browser's permission if need be; resolves to whether there will be notifications.
export async function wantAlerts(wanted) {
    if (wanted && supported())
        await Notification.requestPermission();
    localStorage.setItem(KEY, wanted ? 'yes' : 'no');
    return alertsWanted();
}

// One for each tag; onClick() when the user follows it.
export function alertUser(title, body, tag, onClick) {
    if (!alertsWanted())
        return;
    const alert = new Notification(title, {body, tag, icon: 'icon.svg'});
    alert.onclick = () => {
        window.focus();
        alert.close();
        onClick();
    };
}

export function isLookedAt() {
    return document.visibilityState === 'visible' && document.hasFocus();
}

export function showUnreadInTitle(count) {
    document.title = count > 0 ? `(${count}) ${t('app.title')}` : t('app.title');
}
