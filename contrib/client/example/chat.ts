// SPDX-License-Identifier: BSD-2-Clause
// A page's chat in outline; the declarations are checked against it.
import {Problem, TidingsClient, type Message} from 'tidings-client';

const client = new TidingsClient({
    url: '/im',
    getToken: async () => (await (await fetch('/session/token')).json()).token as string,
    storage: localStorage,
    device: 'web',
});

const shown = new Map<string, Message>();

client.on('conversation', (c) => console.log(c.peer.nickname ?? c.peer.user_id, c.unread_count));
client.on('message', (m) => {
    shown.set(m.id, m);
    if (m.from_user_id !== client.userId)
        client.markRead(m.conversation_id, m.seq);
});
client.on('recalled', ({message_id}) => shown.delete(message_id));
client.on('refused', ({draft, problem}) => console.warn(`not sent to ${draft.to_user_id}: ${problem.code}`));
client.on('state', ({state, retryInMs}) => console.log(state, retryInMs));
client.connect();

export async function say(to: string, content: string): Promise<Message | null> {
    const {done} = client.send({to, content});
    try {
        return await done;
    } catch (error) {
        if (error instanceof Problem && error.code === 'not_friends')
            await client.rest.requestFriend(to);
        return null;
    }
}

export async function friendsOnline(): Promise<string[]> {
    const online: string[] = [];
    for await (const friend of client.rest.each((page) => client.rest.friends(page))) {
        if (friend.online)
            online.push(friend.user.user_id);
    }
    client.watch(online);
    return online;
}

// @ts-expect-error: there is no such event
client.on('nonsense', () => {});
// @ts-expect-error: seq is a number
client.on('message', (m) => m.seq.toUpperCase());
