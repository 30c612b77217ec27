// SPDX-License-Identifier: BSD-2-Clause
// Every text of the page, in English and Chinese. {name} stands for a value. A key with `_one` is for a count of 1, where
// the language tells it apart.
import {lasting} from '../web/storage.js';
import {isolated} from '../web/text.js';

const TEXTS = {
    'app.title': ['Tidings administration', 'Tidings 管理'],
    'app.skip': ['Skip to the content', '跳到内容'],
    'app.nav': ['Pages', '页面'],
    'app.logOut': ['Log out', '退出'],
    'app.language': ['中文', 'English'],
    'app.as': ['Token of {name}', '{name} 的令牌'],
    'app.tokenEnds': ['until {time}', '有效至 {time}'],
    'nav.overview': ['Overview', '概览'],
    'nav.users': ['Users', '用户'],
    'nav.audit': ['Audit log', '审计日志'],

    'login.heading': ['Administration', '管理'],
    'login.token': ['Administrator token', '管理员令牌'],
    'login.hint': ['Get one on the server:', '在服务器上获取令牌：'],
    'login.kept': ['It is kept in this tab alone, until you log out or close it.', '令牌只保存在此标签页中，退出或关闭后即删除。'],
    'login.submit': ['Log in', '登录'],
    'login.token_expired': ['This token has expired. Get a new one.', '此令牌已过期，请获取新的令牌。'],
    'login.token_revoked': ['This token was revoked. Get a new one.', '此令牌已被吊销，请获取新的令牌。'],
    'login.token_invalid': ['The server does not accept this token.', '服务器不接受此令牌。'],
    'login.forbidden': ['This token has no scope “admin”.', '此令牌没有 “admin” 权限。'],

    'problem.unreachable': ['The node does not answer.', '节点没有响应。'],
    'problem.not_found': ['There is no such thing.', '不存在。'],
    'problem.unavailable': ['The server cannot do this now: {detail}', '服务器目前无法完成：{detail}'],
    'problem.other': ['The server refused: {detail}', '服务器拒绝：{detail}'],

    'live.updating': ['Live', '实时'],
    'live.waiting': ['Waiting for the first figures …', '正在等待首批数据……'],
    'live.lost': ['The node has not answered since {time}. What is shown is old; it is asked again every few seconds.',
        '节点自 {time} 起没有响应。显示的是旧数据，页面每隔几秒会重试。'],

    'rate.stored': ['Messages stored', '存储的消息'],
    'rate.pushed': ['Events pushed', '推送的事件'],
    'rate.requests': ['HTTP requests', 'HTTP 请求'],
    'rate.perSecond': ['per second', '每秒'],
    'gauge.sessions': ['Sessions', '会话连接'],
    'gauge.connections': ['Connections', '连接'],
    'gauge.of': ['of {max}', '上限 {max}'],
    'rate.history': ['{name} of the last {minutes} minutes, at most {max}', '{name}：最近 {minutes} 分钟，最高 {max}'],

    'latency.heading': ['Latency', '延迟'],
    'latency.hint': ['Of the last minute.', '最近一分钟。'],
    'latency.what': ['What', '项目'],
    'latency.count': ['Count', '次数'],
    'latency.request': ['HTTP request to its answer', 'HTTP 请求到应答'],
    'latency.commit': ['Transaction to its commit', '事务到提交'],
    'latency.bus': ['Redis there and back', 'Redis 往返'],
    'latency.expiry': ['Expiry to its recall', '到期到撤回'],

    'nodes.heading': ['Nodes', '节点'],
    'nodes.node': ['Node', '节点'],
    'nodes.this': ['this one', '本节点'],
    'nodes.workers': ['Workers heard', '可见的工作进程'],
    'nodes.state': ['State', '状态'],
    'nodes.unnamed': ['of an older version', '旧版本'],
    'nodes.more': ['There are more nodes than are listed.', '还有更多节点未列出。'],

    'state.ready': ['ready', '就绪'],
    'state.starting': ['starting', '正在启动'],
    'state.draining': ['draining', '正在退出'],
    'state.silent': ['silent', '无响应'],
    'state.partly': ['{count} workers silent', '{count} 个工作进程无响应'],
    'state.partly_one': ['1 worker silent', null],
    'state.up': ['connected', '已连接'],
    'state.readOnly': ['read-only', '只读'],
    'state.down': ['away', '断开'],
    'state.leads': ['leads', '主导'],
    'state.waits': ['waits', '待命'],
    'state.missing': ['missing', '缺失'],

    'health.heading': ['Health', '健康状况'],
    'health.database': ['Database', '数据库'],
    'health.redis': ['Redis', 'Redis'],
    'health.relay': ['Relay', '中继'],
    'health.relayLag': ['Relay lag', '中继延迟'],
    'health.relayRows': ['{count} transactions wait', '{count} 个事务等待中'],
    'health.relayRows_one': ['1 transaction waits', null],
    'health.elsewhere': ['another node leads', '由其他节点主导'],
    'health.hooks': ['Lag of webhooks', 'Webhook 延迟'],

    'process.heading': ['Processes', '进程'],
    'process.kind': ['Process', '进程'],
    'process.worker': ['Worker {slot}', '工作进程 {slot}'],
    'process.writer': ['Writer {slot}', '写入进程 {slot}'],
    'process.relay': ['Relay', '中继进程'],
    'process.media': ['Media process', '媒体进程'],
    'process.pid': ['PID', 'PID'],
    'process.restarts': ['Restarts', '重启次数'],
    'process.load': ['Load', '负载'],
    'process.connections': ['{count} connections', '{count} 个连接'],
    'process.connections_one': ['1 connection', null],
    'process.queue': ['{count} in its queue', '队列中 {count} 项'],
    'process.rows': ['{count} rows wait', '{count} 行等待'],
    'process.rows_one': ['1 row waits', null],
    'process.jobs': ['{count} files', '{count} 个文件'],
    'process.jobs_one': ['1 file', null],
    'process.since': ['Since', '启动时间'],

    'users.search': ['User id or nickname', '用户 ID 或昵称'],
    'users.find': ['Find', '查找'],
    'users.none': ['Nobody was found.', '没有找到用户。'],
    'users.more': ['More', '更多'],
    'users.results': ['Users found', '找到的用户'],
    'users.id': ['User id', '用户 ID'],
    'users.nickname': ['Nickname', '昵称'],
    'users.created': ['Created', '创建时间'],
    'users.lastSeen': ['Last seen', '最后在线'],
    'users.never': ['not known', '未知'],
    'users.state': ['State', '状态'],
    'users.disabled': ['disabled', '已停用'],
    'users.enabled': ['enabled', '正常'],
    'users.unknown': ['{name} has no account here. A user of another issuer can be refused all the same.',
        '{name} 在此服务器上没有账号。仍然可以拒绝由其他系统签发令牌的用户。'],
    'users.disable': ['Disable', '停用'],
    'users.enable': ['Enable', '启用'],
    'users.revoke': ['Revoke tokens', '吊销令牌'],
    'users.disableAsk': ['Disable {name}? All logins and sessions end, and nothing is accepted until the user is enabled again.',
        '要停用 {name} 吗？所有登录和会话都会结束，重新启用之前不接受任何请求。'],
    'users.revokeAsk': ['Revoke all tokens of {name} issued up to now? All logins and sessions end; the user can log in again.',
        '要吊销 {name} 至今的所有令牌吗？所有登录和会话都会结束，用户可以重新登录。'],
    'users.disabledDone': ['{name} is disabled.', '{name} 已停用。'],
    'users.enabledDone': ['{name} is enabled.', '{name} 已启用。'],
    'users.revokedDone': ['The tokens of {name} are revoked.', '{name} 的令牌已吊销。'],

    'sessions.heading': ['Sessions on {node}', '{node} 上的会话'],
    'sessions.none': ['No session on this node.', '此节点上没有会话。'],
    'sessions.elsewhere': ['The user is online on another node: look at the page of that node, or end all sessions here.',
        '该用户在其他节点上在线：请打开那个节点的页面查看，或在此结束所有会话。'],
    'sessions.more': ['There are more sessions than are listed.', '还有更多会话未列出。'],
    'sessions.session': ['Session', '会话'],
    'sessions.device': ['Device', '设备'],
    'sessions.noDevice': ['not named', '未注明'],
    'sessions.address': ['Address', '地址'],
    'sessions.since': ['Since', '开始时间'],
    'sessions.action': ['Action', '操作'],
    'sessions.kick': ['Kick', '踢出'],
    'sessions.kickOne': ['Kick session {id}', '踢出会话 {id}'],
    'sessions.kickAsk': ['End this session of {name}?', '要结束 {name} 的这个会话吗？'],
    'sessions.kickAll': ['Kick all sessions', '踢出所有会话'],
    'sessions.kickAllAsk': ['End all sessions of {name}, on all nodes? The user may come back.', '要结束 {name} 在所有节点上的会话吗？用户可以再次连接。'],
    'sessions.kicked': ['The session was told to go.', '已通知该会话断开。'],
    'sessions.kickedAll': ['All sessions of {name} were told to go.', '已通知 {name} 的所有会话断开。'],
    'sessions.refresh': ['Refresh', '刷新'],

    'audit.heading': ['Who has asked for what', '谁请求了什么'],
    'audit.time': ['Time', '时间'],
    'audit.actor': ['Actor', '操作者'],
    'audit.method': ['Method', '方法'],
    'audit.path': ['Path', '路径'],
    'audit.status': ['Status', '状态'],
    'audit.noStatus': ['not known', '未知'],
    'audit.none': ['The log is empty.', '日志为空。'],
    'audit.older': ['Older', '更早'],
    'audit.newer': ['Newer', '更新'],
    'audit.newest': ['Newest', '最新'],

    'dialog.cancel': ['Cancel', '取消'],
};

export const LANGUAGES = ['en', 'zh'];
const CHOSEN = 'tidings-admin:language';

// en or zh; decided once, when the page is loaded.
export const language = LANGUAGES.find((name) => name === lasting.getItem(CHOSEN)) ??
    navigator.languages.find((l) => /^(en|zh)\b/.test(l))?.slice(0, 2) ?? 'en';
const column = LANGUAGES.indexOf(language);
document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
export const locale = language === 'zh' ? 'zh-CN' : 'en';

export function chooseLanguage(name) {
    lasting.setItem(CHOSEN, name);
    location.reload();
}

export function t(key, values = {}) {
    const single = values.count === 1 ? TEXTS[`${key}_one`]?.[column] : null;
    return (single ?? TEXTS[key][column]).replace(/\{(\w+)\}/g, (_, name) => isolated(String(values[name] ?? '')));
}

export function hasText(key) {
    return Object.hasOwn(TEXTS, key);
}

// What went wrong, for a person.
export function reasonOf({code, detail}) {
    return t(hasText(`problem.${code}`) ? `problem.${code}` : 'problem.other', {detail: detail ?? code});
}
