// SPDX-License-Identifier: BSD-2-Clause
// Being told while no page is open: the browser's subscription (Push API, VAPID), which the server gets as a device of the
// login. Only where the server offers it (GET /devices/vapid), and for a user who stays logged in.
import {alertsAllowed} from './alerts.js';
import {locale} from './i18n.js';
import {lasting} from './storage.js';
import {worker} from './worker.js';

const DEVICE = 'tidings-web:device'; // its id on the server

function keyOf(text) {
    return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
}

function isSameKey(buffer, bytes) {
    const other = new Uint8Array(buffer ?? new ArrayBuffer(0));
    return other.length === bytes.length && other.every((byte, i) => byte === bytes[i]);
}

export class Push {
    #rest;
    #choiceKey;
    #key = null; // a promise: the server's public key, or null
    #told = null; // the address of the subscription that the server has learned of

    constructor(rest, account) {
        this.#rest = rest;
        this.#choiceKey = `tidings-web:${account.user_id}:push`;
        this.isPossible = account.kept && account.login_id !== null && 'PushManager' in globalThis && 'serviceWorker' in navigator;
    }

    // Of this user, in this browser: 'yes', 'no', or null.
    get choice() {
        return lasting.getItem(this.#choiceKey);
    }

    // Resolves to whether the user can be offered it.
    async isOffered() {
        return this.isPossible && alertsAllowed() && await this.#serverKey() !== null && await worker() !== null;
    }

    #serverKey() {
        this.#key ??= this.#rest.vapidKey().then((key) => key && keyOf(key), () => {
            this.#key = null; // asked again the next time
            return null;
        });
        return this.#key;
    }

    decline() {
        lasting.setItem(this.#choiceKey, 'no');
    }

    // Asks the browser's permission, so it has to be the user's own doing. Resolves to whether it is on; rejects with a
    // Problem where the server refuses.
    async turnOn() {
        if (await Notification.requestPermission() !== 'granted')
            return false;
        lasting.setItem(this.#choiceKey, 'yes');
        return this.renew();
    }

    async turnOff() {
        this.decline();
        await this.#remove();
    }

    // The server learns the present subscription, which the browser may have renewed, once: a server that was away has other things
    // to do when all come back. Resolves to whether there is one.
    async renew() {
        if (this.choice !== 'yes' || Notification.permission !== 'granted' || !await this.isOffered())
            return false;
        const key = await this.#serverKey();
        const {pushManager} = await worker();
        let subscription = await pushManager.getSubscription();
        if (subscription !== null && !isSameKey(subscription.options?.applicationServerKey, key)) {
            await subscription.unsubscribe();
            subscription = null;
        }
        subscription ??= await pushManager.subscribe({userVisibleOnly: true, applicationServerKey: key});
        if (this.choice !== 'yes') { // turned off, or logged out, meanwhile; another user may have it by now
            if (!lasting.keys().some((key) => /^tidings-web:.*:push$/.test(key) && lasting.getItem(key) === 'yes'))
                await subscription.unsubscribe();
            return false;
        }
        const {endpoint, keys} = subscription.toJSON();
        if (endpoint === this.#told)
            return true;
        await this.#rest.putDevice(deviceId(), {platform: 'webpush', subscription: {endpoint, keys}, app: 'tidings-web', locale});
        this.#told = endpoint;
        return true;
    }

    // The login is over, and with it the device on the server.
    async forget() {
        lasting.removeItem(this.#choiceKey);
        await forgetPushed();
    }

    async #remove() {
        const id = lasting.getItem(DEVICE);
        this.#told = null;
        await forgetPushed();
        if (id !== null)
            await this.#rest.deleteDevice(id).catch((problem) => {
                if (problem.code !== 'not_found')
                    throw problem;
            });
    }
}

function deviceId() {
    const known = lasting.getItem(DEVICE);
    if (known !== null)
        return known;
    const made = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
    lasting.setItem(DEVICE, made);
    return made;
}

// What comes from now on is for nobody here, and what is shown is nobody's business any more.
export async function forgetPushed() {
    try {
        const registration = await navigator.serviceWorker?.getRegistration();
        const subscription = await registration?.pushManager?.getSubscription();
        await subscription?.unsubscribe();
        (await registration?.getNotifications() ?? []).forEach((notification) => notification.close());
    } catch {
        // the browser has no such thing
    }
    lasting.removeItem(DEVICE);
}
