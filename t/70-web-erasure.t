# SPDX-License-Identifier: BSD-2-Clause
# Proves that people delete their account on the chat page: they are told what goes and what stays, it takes their password, and
# nothing of them stays in the browser.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
my $anyone = $t->http(undef);
$anyone->post('/users/register', {user_id => $_, password => 'correct horse', nickname => ucfirst}) for qw(ann ben);
$t->befriend(qw(ann ben));

my ($ann, $tab);
$ann = $web->visit;
$ann->click('input[name=keep]')->log_in('ann', 'correct horse')->wait_online;
$tab = $web->visit(beside => $ann);
$tab->wait_online;
$ann->open_chat('ben') if $t->send_text('ann', 'ben', 'hello');
$ann->type('#compose', 'never sent');

$ann->click('.mine')->click('.dialog .danger-item')->wait_text('.delete-account', 'Your account is deleted for good.');
$ann->wait_text('.delete-account', $_) for 'What goes', 'Drafts, and messages that were not sent yet', 'What stays', 'stays taken';
ok $ann->value(q{document.activeElement.matches('.delete-account [type=password]')}), 'it asks for the password';
$ann->insert("wrong horse\n");
$ann->wait_text('.delete-account .fault', 'The password is wrong.');
is $t->api('ben')->get('/users/ann')->status, 200, 'and a wrong one deletes nothing';
$ann->fill('.delete-account [type=password]', "correct horse\n");
$_->wait_text('.login .fault', 'Your account was deleted.') for $ann, $tab;
pass 'all tabs say so';
is $t->api('ben')->get('/users/ann')->status, 404, 'the user is gone';
wait_for('the storage to be empty', sub { $ann->value(q{!Object.keys(localStorage).concat(Object.keys(sessionStorage)).some((k) => k === 'tidings-web:account' || k.startsWith('tidings-web:ann:'))}) });
pass 'and nothing of them is in the browser';
$ann->log_in('ann', 'correct horse')->wait_text('.login .fault', 'wrong');
pass 'nor can they log in';
is_deeply [map { $_->own_faults } $ann, $tab], [], 'no fault in the consoles';

$web->stop;
done_testing;
