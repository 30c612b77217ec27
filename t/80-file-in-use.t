# SPDX-License-Identifier: BSD-2-Clause
# Proves that a file stays which somebody begins to use while the relay looks whether it is used. The relay asked in one
# UPDATE for many files; it waited there for the lock of one, and then saw who uses it as of the time before.
use Tidings;
use Tidings::HTTP;

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";
my $t = Tidings->start(workers => 1, conf => {media => {directory => $directory}});
$t->befriend(qw(alice bob));
my $dbh = $t->dbh;
my $alice = $t->api('alice');
my ($first, $second) = sort map { $alice->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $_)->json->{id} } 1, 2;

# A send that has locked its file, as src/store/uses.c does, and has not committed yet.
my $sender = $t->stack->dbh($t->{database});
$sender->do('START TRANSACTION');
$sender->selectall_arrayref('SELECT 1 FROM media FORCE INDEX (PRIMARY) WHERE id = ? AND state = 1 LOCK IN SHARE MODE', undef, $second);
$dbh->do('UPDATE media_idle SET due_at = UTC_TIMESTAMP(3)');
wait_for('the relay to wait', sub { ($dbh->selectrow_array("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[1] > 0 });
$sender->do('INSERT INTO media_uses (media_id, message_id) VALUES (?, 5)', undef, $second);
$sender->do('COMMIT');
wait_for('it to be done', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM media_idle') });
is_deeply $dbh->selectall_arrayref('SELECT id, state FROM media'), [[$second, 1]], 'what is used stays';
ok -e sprintf('%s/%s/%s/%s', $directory, substr($second, 0, 2), substr($second, 2, 2), $second), 'as does its file';
ok !-e sprintf('%s/%s/%s/%s', $directory, substr($first, 0, 2), substr($first, 2, 2), $first), 'that of the other is gone';
$t->stop;
done_testing;
