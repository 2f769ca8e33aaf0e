//! All roles and all permissions at a glance.

use mainstay_domain::id::RoleName;
use mainstay_domain::identity::Permission;

use crate::policies::Policies;
use crate::reads::Reads;
use crate::situation::Axes;

/// Most situations in which one cell is tried. With more, the cell says what held in these.
const TRIES: usize = 512;

/// What every role may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    /// One row per role, as [`Policies::roles`] orders them.
    pub rows: Vec<MatrixRow>,
}

/// What one role may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatrixRow {
    /// The role.
    pub role: RoleName,
    /// One cell per permission, in the order of [`Permission::ALL`].
    pub cells: Vec<Reach>,
}

/// How far a role's permission reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach {
    /// In the own tenant, for those who do not operate this Mainstay.
    pub own: Extent,
    /// In another tenant, for those who do not operate this Mainstay.
    pub other: Extent,
    /// In the own tenant, for those who operate this Mainstay.
    pub operator_own: Extent,
    /// In another tenant, for those who operate this Mainstay.
    pub operator_other: Extent,
}

impl Reach {
    const NOWHERE: Self = Self {
        own: Extent::Never,
        other: Extent::Never,
        operator_own: Extent::Never,
        operator_other: Extent::Never,
    };
}

/// Whether something is allowed, where more than the role may matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// It is not.
    Never,
    /// It depends on attributes, such as the environment.
    Sometimes,
    /// It is.
    Always,
}

impl MatrixRow {
    /// How far a permission reaches.
    pub fn of(&self, permission: Permission) -> Reach {
        self.cells[permission as usize]
    }
}

impl Policies {
    /// What every role may do, by itself. Tries every situation that the policies tell apart, so it is for people, not for
    /// requests.
    pub fn matrix(&self) -> Matrix {
        let row = |role: RoleName| {
            let reach = |permission| {
                let Some(axes) = self.axes(&role, permission) else { return Reach::NOWHERE };
                let extent = |of_other: bool, operator| {
                    let mut axes = axes.clone();
                    axes.tenants.retain(|(own, other)| (own != other) == of_other);
                    axes.operator = vec![operator];
                    self.extent(&axes)
                };
                Reach {
                    own: extent(false, false),
                    other: extent(true, false),
                    operator_own: extent(false, true),
                    operator_other: extent(true, true),
                }
            };
            let cells = Permission::ALL.into_iter().map(reach).collect();
            MatrixRow { role, cells }
        };
        Matrix { rows: self.roles().into_iter().map(row).collect() }
    }

    /// The roles that give a permission in the own tenant, at least sometimes. For the message of a refusal: found once,
    /// then only looked up.
    pub fn roles_with(&self, permission: Permission) -> &[RoleName] {
        let found = self.granting.get_or_init(|| {
            let gives = |permission, role: &RoleName| {
                self.axes(role, permission).is_some_and(|mut axes| {
                    axes.tenants.retain(|(own, other)| own == other);
                    self.extent(&axes) != Extent::Never
                })
            };
            let roles = self.roles();
            let with = |permission| roles.iter().filter(|role| gives(permission, role)).cloned().collect();
            Permission::ALL.into_iter().map(with).collect()
        });
        found.get(permission as usize).map_or(&[], Vec::as_slice)
    }

    /// The situations that matter to whether a role gives a permission: what the policies look at that are about it. `None`
    /// where no policy permits it.
    fn axes(&self, role: &RoleName, permission: Permission) -> Option<Axes> {
        let mut reads = Reads::default();
        let mut is_permitted = false;
        for rule in self.rules().iter().filter(|rule| rule.concerns(role, permission)) {
            reads.add(&rule.reads);
            is_permitted |= !rule.forbids();
        }
        let mut axes = Axes::new(&reads);
        axes.roles = vec![vec![role.clone()]];
        axes.permissions = vec![permission];
        is_permitted.then_some(axes)
    }

    fn extent(&self, axes: &Axes) -> Extent {
        let (mut some, mut all) = (false, true);
        for situation in axes.situations().take(TRIES) {
            let allowed = self.evaluate(&situation.question()).allowed;
            (some, all) = (some | allowed, all & allowed);
            if some && !all {
                break;
            }
        }
        match (some, all) {
            (false, _) => Extent::Never,
            (true, false) => Extent::Sometimes,
            (true, true) => Extent::Always,
        }
    }
}
