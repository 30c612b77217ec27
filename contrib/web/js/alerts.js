// SPDX-License-Identifier: BSD-2-Clause
// Telling a user who looks elsewhere: notifications of the browser, if they asked for them, the page's title and its icon.
import {t} from './i18n.js';
import {lasting} from './storage.js';

const KEY = 'tidings-web:alerts';

const supported = () => 'Notification' in globalThis;

// False where the user or the browser has said no.
export function alertsAllowed() {
    return supported() && Notification.permission !== 'denied';
}

export function alertsWanted() {
    return supported() && Notification.permission === 'granted' && lasting.getItem(KEY) === 'yes';
}

// Asks the browser's permission if need be; resolves to whether there will be notifications.
export async function wantAlerts(wanted) {
    try {
        if (wanted && supported())
            await Notification.requestPermission();
    } catch {
        // not in this frame, or not without a click: then there is no permission
    }
    lasting.setItem(KEY, wanted ? 'yes' : 'no');
    return alertsWanted();
}

// One for each tag; onClick() when the user follows it. Never throws: what it tells of is shown in any case.
export async function alertUser(title, body, tag, onClick) {
    if (!alertsWanted())
        return;
    const options = {body, tag, icon: 'icon.svg'};
    try {
        const alert = new Notification(title, options);
        alert.onclick = () => {
            window.focus();
            alert.close();
            onClick();
        };
    } catch {
        await alertByWorker(title, options);
    }
}

// Chrome on Android takes notifications from a service worker alone.
async function alertByWorker(title, options) {
    try {
        const registration = await navigator.serviceWorker?.getRegistration();
        await registration?.showNotification(title, options);
    } catch {
        // there is no other way
    }
}

export function isLookedAt() {
    return document.visibilityState === 'visible' && document.hasFocus();
}

let onIcon = null; // not known: something may have been pushed while no page was open

// On the icon of the installed page, where the system can.
export async function showUnreadOnIcon(count) {
    if (count === onIcon)
        return;
    onIcon = count;
    try {
        await (count > 0 ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.());
    } catch {
        // not allowed here
    }
}

export function showUnreadInTitle(count) {
    const title = count > 0 ? `(${count}) ${t('app.title')}` : t('app.title');
    if (document.title !== title) // to set it takes the browser a while
        document.title = title;
}
